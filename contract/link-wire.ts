import { type Static, Type } from 'typebox';
import { canonicalJson } from './canonical.ts';
import { checker } from './check.ts';
import { Count, closed, Name, Sha256, Text, Uuid } from './common.ts';
import { ErrorBody } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { Receipt } from './ports/central.ts';
import { WireTime } from './time.ts';

/** Messages between robot and coordinator; described in `central-link/LINK.md`. */

const lane = {
  robot: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'name of the robot' }),
  epoch: Uuid('event_id of the first event of the log'),
  lane: Type.String({ pattern: '^events\\.[a-z]{1,32}$', description: 'events.<cell>' }),
};

export const LaneKey = Type.Object(lane, closed);
export type LaneKey = Static<typeof LaneKey>;
export const laneKeyChecker = checker(LaneKey);

/**
 * An event as the coordinator takes it. It checks envelope and hashes only: a robot may be newer than its
 * coordinator, and a kind that the coordinator does not know yet is still kept.
 */
export const LinkEvent = Type.Object(
  {
    event_id: Uuid('UUIDv7'),
    run_id: Type.Optional(Uuid('UUIDv7')),
    kind: Name('event kind'),
    payload: Type.Record(Type.String(), Type.Unknown()),
    ts: WireTime,
    cell: Type.String({ pattern: '^[a-z]{1,32}$', description: 'cell that wrote it' }),
    seq: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    prev_hash: Sha256,
    hash: Sha256,
  },
  { additionalProperties: true },
);
export type LinkEvent = Static<typeof LinkEvent>;

export const LinkPush = Type.Object(
  { ...lane, events: Type.Array(LinkEvent, { minItems: 1, maxItems: LIMITS.LINK_BATCH_EVENTS_MAX }) },
  { ...closed, $id: 'auraison/v1/link-push', title: 'LinkPush' },
);
export type LinkPush = Static<typeof LinkPush>;
export const linkPushChecker = checker(LinkPush);

export const LinkReceipt = Type.Object(
  {
    ...lane,
    seq: Count('everything up to here is held'),
    sha256: Sha256,
    signature: Text(1024, 'ed25519:<key id>:<base64url of the signature of receiptText>'),
  },
  { ...closed, $id: 'auraison/v1/link-receipt', title: 'LinkReceipt' },
);
export type LinkReceipt = Static<typeof LinkReceipt>;
export const linkReceiptChecker = checker(LinkReceipt);

export const LinkWatermark = Type.Object(
  { watermark: Type.Union([LinkReceipt, Type.Null()]) },
  { ...closed, $id: 'auraison/v1/link-watermark', title: 'LinkWatermark' },
);
export const linkWatermarkChecker = checker(LinkWatermark);

export const LinkKey = Type.Object(
  {
    algorithm: Type.Literal('ed25519'),
    key_id: Type.String({
      pattern: '^[0-9a-f]{16}$',
      description: 'first 8 bytes of SHA-256 of the SPKI DER',
    }),
    public_key: Text(1024, 'SPKI, PEM'),
  },
  { ...closed, $id: 'auraison/v1/link-key', title: 'LinkKey' },
);
export type LinkKey = Static<typeof LinkKey>;
export const linkKeyChecker = checker(LinkKey);

/** Every refusal of a coordinator: the error, and for `link.gap` and `link.conflict` where it stands. */
export const LinkRefusal = Type.Object(
  { ...ErrorBody.properties, watermark: Type.Optional(Type.Union([LinkReceipt, Type.Null()])) },
  { ...closed, $id: 'auraison/v1/link-refusal', title: 'LinkRefusal' },
);
export type LinkRefusal = Static<typeof LinkRefusal>;
export const linkRefusalChecker = checker(LinkRefusal);

export const LINK_SIGNATURE = /^ed25519:([0-9a-f]{16}):([A-Za-z0-9_-]{86})$/;

/** The exact text that central signs. */
export function receiptText(receipt: Omit<Receipt, 'signature'>): string {
  const { robot, epoch, lane, seq, sha256 } = receipt;
  return `auraison-link-receipt/v1\n${canonicalJson({ robot, epoch, lane, seq, sha256 })}`;
}
