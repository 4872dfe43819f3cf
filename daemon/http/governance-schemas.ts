import { LIMITS, QUOTA_METRICS, QUOTA_WINDOWS, WireTime } from '../../contract/index.ts';
import { Type } from '../../contract/schema-kit.ts';

const closed = { additionalProperties: false } as const;
const Name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$' });
const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' });
/** Policy files of one request, characters. */
const TEXT_MAX = LIMITS.API_BODY_BYTES_MAX;

export const PolicySchema = Type.Object(
  {
    policy_sha256: Hash,
    built_in: Type.Boolean({ description: 'no file is configured: operators may, others may not' }),
    files: Type.Array(
      Type.Object({ file: Type.String(), sha256: Hash, policies: Type.Integer({ minimum: 0 }) }, closed),
    ),
    policies: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          effect: Type.String(),
          line: Type.Integer({ minimum: 1 }),
          text: Type.Optional(Type.String({ description: 'in Cedar, where it was asked for' })),
        },
        closed,
      ),
    ),
    loaded_ts: WireTime,
    reload_error: Type.Optional(
      Type.String({ description: 'why the files of now are not in force, and what is instead' }),
    ),
  },
  { ...closed, title: 'Policy' },
);

export const PolicyQuery = Type.Object(
  {
    text: Type.Optional(Type.Boolean({ description: 'with the text of each policy; guests get none' })),
  },
  closed,
);

export const QuotaSchema = Type.Object(
  {
    tenant: Type.String(),
    metric: Type.Enum([...QUOTA_METRICS]),
    window: Type.Enum([...QUOTA_WINDOWS]),
    limit: Type.Number({ minimum: 0 }),
    used: Type.Number({ minimum: 0 }),
    left: Type.Number({ minimum: 0 }),
    renews_ts: Type.Optional(WireTime),
  },
  { ...closed, title: 'Quota' },
);
export const QuotasSchema = Type.Object({ quotas: Type.Array(QuotaSchema) }, closed);

const GrantTime = Type.String({
  pattern: '^[1-9][0-9]{0,18}$',
  description: 'nanoseconds since the epoch',
});
const grant = {
  grant_id: Name,
  tenant: Name,
  principal: Name,
  roles: Type.Array(Name, { maxItems: 32 }),
  robots: Type.Array(Name, { maxItems: 64, description: 'empty: any' }),
  issued_ts: GrantTime,
  expires_ts: GrantTime,
};
export const GrantSchema = Type.Object(
  {
    ...grant,
    state: Type.Enum(['live', 'expired', 'revoked']),
    left_ms: Type.Integer({ minimum: 0 }),
  },
  { ...closed, title: 'Grant' },
);
export const GrantsSchema = Type.Object({ grants: Type.Array(GrantSchema) }, closed);
export const SignedGrantBody = Type.Object(
  {
    grant: Type.Object(grant, closed),
    key_id: Type.String({ maxLength: 128 }),
    signature: Type.String({
      maxLength: 128,
      description: 'Ed25519 over the canonical JSON of grant, base64',
    }),
  },
  { ...closed, title: 'SignedGrant' },
);

export const RejudgeBody = Type.Object(
  {
    since_ts: WireTime,
    policies: Type.Optional(
      Type.Array(
        Type.Object(
          {
            file: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' }),
            text: Type.String({ maxLength: TEXT_MAX, description: 'Cedar' }),
          },
          closed,
        ),
        { minItems: 1, maxItems: 64, description: 'absent: those in force' },
      ),
    ),
  },
  closed,
);
export const RejudgedSchema = Type.Object(
  {
    policy_sha256: Hash,
    judged: Type.Integer(),
    same: Type.Integer(),
    different: Type.Integer(),
    not_judged: Type.Integer({ description: 'their question is not in the log' }),
    whole: Type.Boolean({ description: 'false: the time was over before the end of the log' }),
    differences: Type.Array(
      Type.Object(
        {
          event_id: Type.String(),
          ts: WireTime,
          run_id: Type.Optional(Type.String()),
          point: Type.String(),
          subject: Type.String(),
          principal: Type.String(),
          was: Type.Object({
            decision: Type.String(),
            reason: Type.String(),
            policy_sha256: Type.String(),
          }),
          would: Type.Object({
            decision: Type.Enum(['allow', 'deny', 'needs_approval']),
            reason: Type.String(),
            determining: Type.Array(Type.String()),
          }),
        },
        closed,
      ),
      { description: 'at most 1000 of them' },
    ),
  },
  { ...closed, title: 'Rejudged' },
);
