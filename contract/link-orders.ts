import { type Static, Type } from 'typebox';
import { canonicalJson } from './canonical.ts';
import { checker } from './check.ts';
import { closed, Json, Text, Uuid } from './common.ts';
import { ErrorBody } from './errors.ts';
import { WireTime } from './time.ts';

/** Orders of central and the answers of the robot; described in `central-link/LINK.md`. */

const Robot = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'name of the robot' });
const PostedBy = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$',
  description: 'the caller at central; part of the principal on the robot',
});

/**
 * `intent`: an IntentRequest. `cancel`: `{order_id, run_id?, reason?}`. `approval`: `{approval_id, decision, reason?}`.
 * `grant`: a SignedGrant, with a signature of its own. `fetch`: `{name, from_ns?, to_ns?, from?, to?}`, since version 2.
 */
export const OrderKind = Type.Enum(['intent', 'cancel', 'approval', 'grant', 'fetch']);
export type OrderKind = Static<typeof OrderKind>;

/** An order as it is posted at central. The same `order_id` twice is one order. */
export const OrderPost = Type.Object(
  {
    robot: Robot,
    kind: OrderKind,
    body: Json,
    order_id: Type.Optional(Uuid('UUIDv7; made by central where it is left out')),
    posted_by: Type.Optional(PostedBy),
  },
  { ...closed, $id: 'auraison/v1/order-post', title: 'OrderPost' },
);
export type OrderPost = Static<typeof OrderPost>;
export const orderPostChecker = checker(OrderPost);

export const LinkOrder = Type.Object(
  {
    robot: Robot,
    order_id: Uuid('UUIDv7'),
    kind: OrderKind,
    body: Json,
    posted_by: PostedBy,
    posted_ns: WireTime,
    signature: Text(1024, 'ed25519:<key id>:<base64url of the signature of orderText>'),
  },
  { ...closed, $id: 'auraison/v1/link-order', title: 'LinkOrder' },
);
export type LinkOrder = Static<typeof LinkOrder>;

/** Answer of the queue: orders that the robot has not settled, the oldest first, and runs whose end is not known. */
export const LinkOrders = Type.Object(
  {
    orders: Type.Array(LinkOrder, { maxItems: 32 }),
    open: Type.Array(Type.Object({ order_id: Uuid('UUIDv7'), run_id: Uuid('UUIDv7') }, closed), {
      maxItems: 256,
    }),
  },
  { ...closed, $id: 'auraison/v1/link-orders', title: 'LinkOrders' },
);
export type LinkOrders = Static<typeof LinkOrders>;
export const linkOrdersChecker = checker(LinkOrders);

/** What became of an order. `accepted` and `refused` follow `queued`; `finished` follows `accepted`. Never back. */
export const OrderReport = Type.Object(
  {
    order_id: Uuid('UUIDv7'),
    state: Type.Enum(['accepted', 'refused', 'finished']),
    run_id: Type.Optional(Uuid('UUIDv7')),
    /** How it finished: for an intent the status of its run, for others `done`. */
    status: Type.Optional(Type.Enum(['succeeded', 'failed', 'cancelled', 'done'])),
    reason: Text(512, 'why'),
    score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    summary: Type.Optional(Json),
    error: Type.Optional(ErrorBody),
  },
  closed,
);
export type OrderReport = Static<typeof OrderReport>;

export const OrderReports = Type.Object(
  { robot: Robot, reports: Type.Array(OrderReport, { minItems: 1, maxItems: 64 }) },
  { ...closed, $id: 'auraison/v1/order-reports', title: 'OrderReports' },
);
export const orderReportsChecker = checker(OrderReports);

/** Answer to reports: how many of them central now holds, including those it held before. */
export const OrderReportsTaken = Type.Object({ taken: Type.Integer({ minimum: 0 }) }, closed);
export const orderReportsTakenChecker = checker(OrderReportsTaken);

/** The exact text that central signs. */
export function orderText(order: Omit<LinkOrder, 'signature'>): string {
  const { robot, order_id, kind, body, posted_by, posted_ns } = order;
  return `auraison-link-order/v1\n${canonicalJson({ robot, order_id, kind, body, posted_by, posted_ns })}`;
}
