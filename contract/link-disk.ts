import { type Static, Type } from 'typebox';
import { canonicalJson } from './canonical.ts';
import { checker } from './check.ts';
import { Count, closed, Sha256, Text, Uuid } from './common.ts';
import { LINK_LIMITS } from './link-limits.ts';
import { LinkObject, ObjectReceipt } from './link-objects.ts';
import { LinkReceipt } from './link-wire.ts';
import { WireTime } from './time.ts';

/** What lies on a disk between robot and coordinator; described in `central-link/LINK.md`, "A removable disk". */

const robot = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'name of the robot' });
const Piece = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256(0x00, bytes), lower-case hex' });

/** Consecutive events of one lane: the piece is the body of a push. */
export const DiskEvents = Type.Object(
  {
    epoch: Uuid('event_id of the first event of the log'),
    lane: Type.String({ pattern: '^events\\.[a-z]{1,32}$', description: 'events.<cell>' }),
    from: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'seq of the first' }),
    to: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'seq of the last' }),
    sha256: Sha256,
    piece: Piece,
    bytes: Type.Integer({ minimum: 1, maximum: LINK_LIMITS.LINK_DISK_PIECE_BYTES_MAX }),
  },
  closed,
);
export type DiskEvents = Static<typeof DiskEvents>;

/** A file. Its parts are pieces named by their leaves; of more than one part `tree` is the piece with the leaves. */
export const DiskObject = Type.Object({ object: LinkObject, tree: Type.Optional(Piece) }, closed);
export type DiskObject = Static<typeof DiskObject>;

export const DiskManifest = Type.Object(
  {
    format: Type.Literal('auraison-link-disk/v1'),
    robot,
    made_ns: WireTime,
    certificate: Text(65_536, 'PEM: of the key that signed, then those of its authorities'),
    complete: Type.Boolean({ description: 'false: the robot has more than fitted, or was interrupted' }),
    events: Type.Array(DiskEvents, { maxItems: LINK_LIMITS.LINK_DISK_ITEMS_MAX }),
    objects: Type.Array(DiskObject, { maxItems: LINK_LIMITS.LINK_DISK_ITEMS_MAX }),
    signature: Text(2048, '<algorithm>:<key id>:<base64url of the signature of diskText>'),
  },
  closed,
);
export type DiskManifest = Static<typeof DiskManifest>;
export const diskManifestChecker = checker(DiskManifest);

export const DiskReceipts = Type.Object(
  {
    format: Type.Literal('auraison-link-receipts/v1'),
    robot,
    made_ns: WireTime,
    head: Type.Union([Sha256, Type.Null()], { description: 'as in LinkCustody' }),
    events: Type.Array(LinkReceipt, { maxItems: LINK_LIMITS.LINK_DISK_RECEIPTS_MAX }),
    objects: Type.Array(ObjectReceipt, { maxItems: LINK_LIMITS.LINK_DISK_RECEIPTS_MAX }),
    refused: Type.Array(
      Type.Object(
        {
          what: Text(1200, 'a lane with positions, or the name of a file'),
          code: Text(64, 'code of the error'),
          message: Text(512, 'why the coordinator did not take it'),
        },
        closed,
      ),
      { maxItems: LINK_LIMITS.LINK_DISK_REFUSED_MAX },
    ),
    refused_more: Count('refusals beyond those of the list'),
    signature: Text(1024, 'ed25519:<key id>:<base64url of the signature of diskReceiptsText>'),
  },
  closed,
);
export type DiskReceipts = Static<typeof DiskReceipts>;
export const diskReceiptsChecker = checker(DiskReceipts);

/** `ed25519`, or `sha256` for a key of another kind: what that key signs is the SHA-256 of the text. */
export const DISK_SIGNATURE = /^(ed25519|sha256):([0-9a-f]{16}):([A-Za-z0-9_-]{16,1400})$/;

/** The exact text that the robot signs. */
export function diskText(manifest: Omit<DiskManifest, 'signature'>): string {
  return `auraison-link-disk/v1\n${unsigned(manifest)}`;
}

/** The exact text that central signs besides each receipt. */
export function diskReceiptsText(receipts: Omit<DiskReceipts, 'signature'>): string {
  return `auraison-link-receipts/v1\n${unsigned(receipts)}`;
}

function unsigned(signed: object): string {
  return canonicalJson({ ...signed, signature: undefined });
}
