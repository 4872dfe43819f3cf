import { ROUTE_STATES } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';

const closed = { additionalProperties: false } as const;
const Counts = Type.Record(Type.String(), Type.Integer({ description: 'samples by reason' }));

const RouteView = Type.Object(
  {
    name: Type.String(),
    from: Type.String(),
    to: Type.String(),
    state: Type.Enum([...ROUTE_STATES]),
    reason: Type.String({ description: 'why; empty when it is up' }),
    messages: Type.Integer({ description: 'handed on' }),
    bytes: Type.Integer({ description: 'handed on' }),
    messages_per_second: Type.Number(),
    age_ms: Type.Union([Type.Number(), Type.Null()], { description: 'since the newest was handed on' }),
    queued: Type.Integer({ description: 'waiting or in flight' }),
    queued_bytes: Type.Integer(),
    dropped: Counts,
    rebuilds: Type.Integer(),
    topics: Type.Integer({ description: 'that it carries' }),
  },
  closed,
);

const LedgerView = Type.Object(
  {
    topic: Type.String(),
    hop: Type.String({ description: 'recorder, or route:<name>' }),
    received: Type.Integer(),
    forwarded: Type.Integer(),
    written: Type.Integer(),
    dropped: Counts,
  },
  closed,
);

export const RoutesView = Type.Object(
  { routes: Type.Array(RouteView), ledger: Type.Array(LedgerView) },
  closed,
);
