import { type Static, Type } from 'typebox';
import { checker } from './check.ts';
import { closed, Json, Name, Text, Uuid } from './common.ts';
import { WireTime } from './time.ts';

/**
 * The caller, on whose behalf it acts, and where the request came from. Hooks and quotas read this and nothing else.
 */
export const PolicyContext = Type.Object(
  {
    tenant: Name('whose robot time is spent'),
    principal: Name('the caller'),
    roles: Type.Unsafe<readonly string[]>(Type.Array(Name('role'), { maxItems: 32 })),
    origin: Type.Enum(['api', 'cli', 'schedule', 'ros', 'zenoh', 'central', 'run', 'mcp', 'webhook', 'a2a']),
    lease: Type.Optional(Text(256, 'the grant under which the principal acts')),
  },
  closed,
);
export type PolicyContext = Static<typeof PolicyContext>;

const Attended = Type.Boolean({
  description: 'a person talks with the agent of the run: after each answer it waits for the next message',
});

/** Priority of an intent that names none. */
export const NORMAL_PRIORITY = 5;

/** An immutable request from a person, a schedule, a robot node or central. It opens a run. */
export const Intent = Type.Object(
  {
    intent_id: Uuid('UUIDv7'),
    type: Name('what is asked, for example maze/find_exit; names the application that serves it'),
    params: Json,
    policy_ctx: PolicyContext,
    targets: Type.Array(Name('robot or robot group'), { maxItems: 64 }),
    priority: Type.Integer({ minimum: 0, maximum: 9, description: '9 is most urgent, 5 is normal' }),
    deadline: Type.Optional(WireTime),
    idempotency_key: Type.Optional(Text(128, 'the same key twice opens one run')),
    attended: Type.Optional(Attended),
    traceparent: Type.Optional(Text(64, 'W3C trace context of the caller')),
  },
  { ...closed, $id: 'auraison/v1/intent', title: 'Intent' },
);
export type Intent = Static<typeof Intent>;

/** What a client sends: the daemon adds the id and the policy context. */
export const IntentRequest = Type.Object(
  {
    type: Name('what is asked, for example maze/find_exit'),
    params: Type.Optional(Json),
    targets: Type.Optional(Type.Array(Name('robot or robot group'), { maxItems: 64 })),
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 9 })),
    deadline: Type.Optional(WireTime),
    idempotency_key: Type.Optional(Text(128, 'the same key twice opens one run')),
    attended: Type.Optional(Attended),
    traceparent: Type.Optional(Text(64, 'W3C trace context of the caller')),
  },
  { ...closed, $id: 'auraison/v1/intent-request', title: 'IntentRequest' },
);
export type IntentRequest = Static<typeof IntentRequest>;
export const intentRequestChecker = checker(IntentRequest);
