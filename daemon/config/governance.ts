import {
  isReservedPrincipal,
  QUOTA_METRICS,
  QUOTA_WINDOWS,
  type QuotaMetric,
  type QuotaRule,
  type QuotaWindow,
} from '../../contract/core.ts';
import { tables, text, texts } from './spec.ts';

/** Somebody with a token of their own. */
export type PrincipalRow = {
  readonly name: string;
  readonly tenant: string;
  readonly roles: readonly string[];
  readonly tokenFile: string;
};

const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;

/** Who may do what, and how much of it. */
export const POLICY_KEYS = {
  dir: text(
    '',
    'folder with *.cedar and entities.json; with no files at all operators may and others may not',
  ),
  files: texts([], 'further policy files'),
  grants: text('', 'folder with signed grants (*.json), taken at start and at reload'),
  grant_keys: texts(
    [],
    'files with public Ed25519 keys (PEM) that may sign grants; a key is named by its file name without the ending',
  ),
  quotas: tables<QuotaRule>('how much a tenant may spend: [[policy.quotas]]', readQuota),
  principals: tables<PrincipalRow>(
    'people and programs with tokens of their own: [[policy.principals]]',
    readPrincipal,
  ),
} as const;

type Read<T> = { ok: true; value: T } | { ok: false; expected: string };

function readQuota(row: Record<string, unknown>): Read<QuotaRule> {
  const fault = strangerOf(row, ['tenant', 'metric', 'window', 'limit']);
  if (fault !== undefined) return { ok: false, expected: fault };
  const { tenant = '*', metric, window, limit } = row;
  if (typeof tenant !== 'string' || !(tenant === '*' || NAME.test(tenant)))
    return { ok: false, expected: 'tenant = a name, or "*" for each tenant' };
  if (!QUOTA_METRICS.includes(metric as QuotaMetric))
    return { ok: false, expected: `metric = one of ${QUOTA_METRICS.join(', ')}` };
  if (!QUOTA_WINDOWS.includes(window as QuotaWindow))
    return { ok: false, expected: `window = one of ${QUOTA_WINDOWS.join(', ')}` };
  if (typeof limit !== 'number' || !Number.isFinite(limit) || limit < 0 || limit > Number.MAX_SAFE_INTEGER)
    return { ok: false, expected: 'limit = a number that is not negative' };
  return { ok: true, value: { tenant, metric: metric as QuotaMetric, window: window as QuotaWindow, limit } };
}

function readPrincipal(row: Record<string, unknown>): Read<PrincipalRow> {
  const fault = strangerOf(row, ['name', 'tenant', 'roles', 'token_file']);
  if (fault !== undefined) return { ok: false, expected: fault };
  const { name, tenant = 'local', roles = [], token_file } = row;
  if (typeof name !== 'string' || !NAME.test(name)) return { ok: false, expected: 'name = a name' };
  if (typeof tenant !== 'string' || !NAME.test(tenant)) return { ok: false, expected: 'tenant = a name' };
  if (isReservedPrincipal(name))
    return { ok: false, expected: `another name: ${name} is one that this house goes by` };
  const fits =
    Array.isArray(roles) &&
    roles.length <= 32 &&
    roles.every((role) => typeof role === 'string' && NAME.test(role));
  if (!fits) return { ok: false, expected: 'roles = names, for example ["operator"]' };
  if (typeof token_file !== 'string' || token_file === '')
    return { ok: false, expected: 'token_file = a path, or credential:NAME for a systemd credential' };
  return { ok: true, value: { name, tenant, roles: roles as string[], tokenFile: token_file } };
}

function strangerOf(row: Record<string, unknown>, allowed: readonly string[]): string | undefined {
  const stranger = Object.keys(row).find((key) => !allowed.includes(key));
  return stranger === undefined ? undefined : `only the keys ${allowed.join(', ')}, not "${stranger}"`;
}
