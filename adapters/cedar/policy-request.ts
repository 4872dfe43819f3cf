import type { HookQuestion, PolicyRequest } from '../../contract/core.ts';
import { resourceOf } from './cedar-request.ts';
import { entitiesOf, type PolicySet } from './policy-set.ts';

/** Roles and grant under which a context acts now, or why it does not. */
export type Standing =
  | { readonly ok: true; readonly roles: readonly string[]; readonly grant?: string }
  | { readonly ok: false; readonly reason: string };

/** The fastest that the gate lets the base drive (m/s) and turn (rad/s): a fact of every motion of the base. */
export type BaseSpeeds = { readonly speedMax: number; readonly turnMax: number };

export type Asked = {
  readonly robot: string;
  /** Wall time of the question, milliseconds since the Unix epoch. */
  readonly tsMs: number;
  readonly base?: BaseSpeeds | undefined;
  readonly set: Pick<PolicySet, 'entities'>;
};

/** A question as it is judged and logged, by the daemon and by a test of policies alike. Pure. */
export function policyRequest(
  { point, subject, context, facts, about = {} }: Omit<HookQuestion, 'runId'>,
  standing: Standing & { ok: true },
  { robot, tsMs, base, set }: Asked,
): PolicyRequest {
  const { tenant, principal, origin } = context;
  const roles = [...new Set(standing.roles)].sort();
  const resource = resourceOf(point, subject);
  const grant = standing.grant === undefined ? {} : { grant: standing.grant };
  const asking = { tenant, id: principal, roles, origin, ...grant };
  return {
    ...{ point, principal: asking, resource, robot, ts_ms: tsMs, about, facts: withSpeed(facts, base) },
    entities: entitiesOf(set, { principal: asking, resource }),
  };
}

/** Adds the fastest possible speed of a motion, so that policies can limit it although no caller gives it. */
function withSpeed(facts: HookQuestion['facts'], base: BaseSpeeds | undefined): HookQuestion['facts'] {
  const motion = facts['motion'];
  if (!base || (motion !== 'navigate' && motion !== 'drive' && motion !== 'spin')) return facts;
  return {
    ...facts,
    ...(motion === 'spin' ? {} : { speed_m_s: base.speedMax }),
    ...(motion === 'drive' ? {} : { turn_rad_s: base.turnMax }),
  };
}
