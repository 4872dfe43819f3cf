import { type Static, Type } from 'typebox';
import { canonicalJson } from './canonical.ts';
import { checker } from './check.ts';
import { Count, closed, Sha256, Text, Uuid } from './common.ts';
import { LINK_LIMITS } from './link-limits.ts';
import { OBJECT_LANES } from './object-lanes.ts';

/** Files on their way to the coordinator; described in `central-link/LINK.md`. */

const cursor = {
  robot: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'name of the robot' }),
  epoch: Uuid('event_id of the first event of the log that named the object'),
  lane: Type.Enum([...OBJECT_LANES]),
  seq: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'of the event that named it',
  }),
  sha256: Sha256,
};

export const LinkObject = Type.Object(
  {
    ...cursor,
    bytes: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    part_bytes: Type.Integer({
      minimum: LINK_LIMITS.LINK_PART_BYTES_MIN,
      maximum: LINK_LIMITS.LINK_PART_BYTES_MAX,
      description: 'a power of two',
    }),
    root: Sha256,
    name: Text(1024, 'what the robot calls it, a relative path'),
  },
  { ...closed, $id: 'auraison/v2/link-object', title: 'LinkObject' },
);
export type LinkObject = Static<typeof LinkObject>;
export const linkObjectChecker = checker(LinkObject);
export type ObjectCursor = Pick<LinkObject, 'robot' | 'epoch' | 'lane' | 'seq' | 'sha256'>;

export const ObjectReceipt = Type.Object(
  {
    ...cursor,
    bytes: Count('of the whole'),
    root: Sha256,
    signature: Text(1024, 'ed25519:<key id>:<base64url of the signature of custodyText>'),
  },
  { ...closed, $id: 'auraison/v2/object-receipt', title: 'ObjectReceipt' },
);
export type ObjectReceipt = Static<typeof ObjectReceipt>;

const ByteRange = Type.Tuple([Count('first byte'), Count('byte behind the last')]);

/** Where the coordinator stands with an object. */
export const ObjectStanding = Type.Union(
  [
    Type.Object({ state: Type.Literal('open'), tree: Type.Literal(true) }, closed),
    Type.Object(
      {
        state: Type.Literal('open'),
        missing: Type.Array(ByteRange, { minItems: 1, maxItems: LINK_LIMITS.LINK_MISSING_RANGES_MAX }),
      },
      closed,
    ),
    Type.Object({ state: Type.Literal('verifying') }, closed),
    Type.Object({ state: Type.Literal('held'), receipt: ObjectReceipt }, closed),
  ],
  { $id: 'auraison/v2/object-standing', title: 'ObjectStanding' },
);
export type ObjectStanding = Static<typeof ObjectStanding>;
export const objectStandingChecker = checker(ObjectStanding);

/** Whether the coordinator still has what it had, by `GET /link/v2/custody`. */
export const LinkCustody = Type.Object(
  {
    head: Type.Union([Sha256, Type.Null()], { description: 'moves with each object that becomes held' }),
    known: Type.Boolean({ description: 'the head of the request was one of its own' }),
  },
  { ...closed, $id: 'auraison/v2/link-custody', title: 'LinkCustody' },
);
export type LinkCustody = Static<typeof LinkCustody>;
export const linkCustodyChecker = checker(LinkCustody);

/** What a coordinator can do. Fields that a later version adds are ignored. */
export const LinkHello = Type.Object(
  {
    versions: Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 64 }),
    encodings: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 16 }),
    part_bytes_max: Type.Integer({ minimum: LINK_LIMITS.LINK_PART_BYTES_MIN }),
  },
  { additionalProperties: true, $id: 'auraison/v2/link-hello', title: 'LinkHello' },
);
export type LinkHello = Static<typeof LinkHello>;
export const linkHelloChecker = checker(LinkHello);

/** The text whose SHA-256 names an object in addresses. */
export function objectIdText({ robot, epoch, lane, seq, sha256 }: ObjectCursor): string {
  return `auraison-link-object/v2\n${canonicalJson({ robot, epoch, lane, seq, sha256 })}`;
}

/** The exact text that central signs when it holds an object. */
export function custodyText(receipt: Omit<ObjectReceipt, 'signature'>): string {
  const { robot, epoch, lane, seq, sha256, bytes, root } = receipt;
  return `auraison-link-custody/v2\n${canonicalJson({ robot, epoch, lane, seq, sha256, bytes, root })}`;
}
