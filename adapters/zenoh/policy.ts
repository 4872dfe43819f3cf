import type { AccessRule, DownsamplingRule, SizeLimitRule, ZenohPolicy, ZenohTls } from './policy-types.ts';

/** Zenoh's own configuration, by path. */
export type ZenohSettings = Readonly<Record<string, unknown>>;

/** The default messages of a rule: everything that carries data. */
const DATA_MESSAGES = ['put', 'delete', 'query', 'reply'] as const;
const FLOWS = { in: ['ingress'], out: ['egress'], both: ['ingress', 'egress'] } as const;

/**
 * Policies in Zenoh's configuration format. Pure. Zenoh reads them when a session is opened and never again: a changed
 * policy opens a new session.
 */
export function zenohSettings(policy: ZenohPolicy): ZenohSettings {
  return {
    ...(policy.tls === undefined ? {} : tlsSettings(policy.tls)),
    ...(policy.access === undefined ? {} : { access_control: accessControl(policy.access) }),
    ...((policy.downsampling ?? []).length === 0
      ? {}
      : { downsampling: policy.downsampling!.map(downsampling) }),
    ...((policy.sizeLimits ?? []).length === 0 ? {} : { low_pass_filter: policy.sizeLimits!.map(sizeLimit) }),
    ...(policy.sharedMemory === false ? { 'transport/shared_memory/enabled': false } : {}),
  };
}

/** One certificate for both directions: listeners show it, and clients do if `mutual` is set. */
function tlsSettings(tls: ZenohTls): ZenohSettings {
  const path = (name: string) => `transport/link/tls/${name}`;
  const own =
    tls.certificate === undefined || tls.key === undefined
      ? {}
      : {
          [path('listen_certificate_base64')]: base64(tls.certificate),
          [path('listen_private_key_base64')]: base64(tls.key),
          [path('connect_certificate_base64')]: base64(tls.certificate),
          [path('connect_private_key_base64')]: base64(tls.key),
        };
  return {
    ...(tls.ca === undefined ? {} : { [path('root_ca_certificate_base64')]: base64(tls.ca) }),
    ...own,
    [path('enable_mtls')]: tls.mutual,
    [path('verify_name_on_connect')]: tls.verifyName,
    [path('close_link_on_expiration')]: true,
  };
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}

function accessControl({ fallback, rules }: NonNullable<ZenohPolicy['access']>): unknown {
  return {
    enabled: true,
    default_permission: fallback,
    rules: rules.map((rule, i) => ({
      id: `rule${i + 1}`,
      permission: rule.permission,
      messages: [...rule.messages],
      flows: [...FLOWS[rule.flow]],
      key_exprs: [...rule.keys],
    })),
    subjects: rules.map((rule, i) => ({ id: `subject${i + 1}`, ...subject(rule) })),
    policies: rules.map((_rule, i) => ({ rules: [`rule${i + 1}`], subjects: [`subject${i + 1}`] })),
  };
}

/** An absent list means anybody; an empty one Zenoh refuses. */
function subject({ names, interfaces, protocols }: AccessRule): Record<string, readonly string[]> {
  return {
    ...(names.length === 0 ? {} : { cert_common_names: names }),
    ...(interfaces.length === 0 ? {} : { interfaces }),
    ...(protocols.length === 0 ? {} : { link_protocols: protocols }),
  };
}

function downsampling({ keys, rateHz, flow, interfaces }: DownsamplingRule, i: number): unknown {
  return {
    id: `downsampling${i + 1}`,
    flows: FLOWS[flow],
    messages: ['put', 'delete'],
    rules: keys.map((key) => ({ key_expr: key, freq: rateHz })),
    ...(interfaces.length === 0 ? {} : { interfaces }),
  };
}

function sizeLimit({ keys, bytes, flow, interfaces }: SizeLimitRule, i: number): unknown {
  return {
    id: `size_limit${i + 1}`,
    flows: FLOWS[flow],
    messages: DATA_MESSAGES,
    key_exprs: keys,
    size_limit: bytes,
    ...(interfaces.length === 0 ? {} : { interfaces }),
  };
}
