import { Type } from 'typebox';
import { ask, bytes, count, flag, list, number, oneOf, reply, text, unchecked } from './kit.ts';

/** An export to a removable disk: the link says what goes and signs, the client writes. */

/** `lanes`: those that go, `events` stands for all logs; none: all. `all`: also what central has receipts for. */
export const DiskOpenRequest = ask({ lanes: list(text), all: flag });
/** How much there is at most. An earlier export of another client ends. */
export const DiskOpened = reply({
  session: text,
  robot: text,
  events: count,
  files: count,
  file_bytes: count,
});

export const DiskNextRequest = ask({ session: text });
/** What stays on the robot, and why: a policy, a damaged file, a list that is full. */
export const DiskLeft = reply({ lane: text, events: count, files: count, bytes: count, reason: text });
/**
 * `working`: a file is being read, ask again; `item`: what comes next on the disk, as the manifest lists it; `end`: nothing else
 * is there.
 */
export const DiskNext = reply({
  state: oneOf(['working', 'item', 'end']),
  /** Of the file that is being read. */
  read: Type.Optional(count),
  item: Type.Optional(
    reply({
      /** From 1. */
      number: count,
      lane: text,
      name: text,
      bytes: count,
      events: count,
      /** A piece with all bytes; absent: a file of several parts. */
      piece: Type.Optional(text),
      /** A piece with the leaves of a file of several parts, and the size of those. */
      tree: Type.Optional(text),
      part_bytes: Type.Optional(count),
    }),
  ),
  left: Type.Optional(list(DiskLeft)),
});

/** A piece of the last item: `part` from 0, -1 for its tree. */
export const DiskPieceRequest = ask({ session: text, item: count, part: number });
export const DiskPiece = reply({ bytes });

/** The manifest for the first `items`, signed; they are on the disk. */
export const DiskSignRequest = ask({ session: text, items: count });
export const DiskSigned = reply({ manifest: bytes });

/** One file with receipts, as it was read from the disk. */
export const DiskReceiptsRequest = ask({ receipts: unchecked });
/**
 * `lanes`: positions that central acknowledged, new to this robot; `files`: those that it holds from now on, by its receipt;
 * `known`: receipts that the robot had; `foreign`: about what this robot does not have.
 */
export const DiskReceiptsTaken = reply({
  lanes: list(reply({ lane: text, seq: count })),
  files: count,
  known: count,
  foreign: count,
  refused: list(reply({ what: text, code: text, message: text })),
  refused_more: count,
});

export const LINK_DISK_BODIES = {
  'link.disk_open': { ask: DiskOpenRequest, reply: DiskOpened },
  'link.disk_next': { ask: DiskNextRequest, reply: DiskNext },
  'link.disk_piece': { ask: DiskPieceRequest, reply: DiskPiece },
  'link.disk_sign': { ask: DiskSignRequest, reply: DiskSigned },
  'link.disk_receipts': { ask: DiskReceiptsRequest, reply: DiskReceiptsTaken },
} as const;
