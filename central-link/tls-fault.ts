import { type Clock, toMs } from '../contract/core.ts';

const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);

/** Why TLS refused the coordinator, for people: what differs and what to do. Undefined: another error. Pure. */
export function tlsFault(
  error: unknown,
  host: string,
  clock: Clock,
): { message: string; hint: string } | undefined {
  const {
    code = '',
    message = '',
    cert,
  } = (error ?? {}) as {
    code?: string;
    message?: string;
    cert?: { subjectaltname?: string };
  };
  const now = new Date(toMs(clock.now())).toISOString();
  if (code === 'CERT_HAS_EXPIRED')
    return {
      message: `the certificate of ${host} has expired; the clock of this host says ${now}`,
      hint: 'renew it at the coordinator (auraison central issues its own again at its start), or set the clock of this host',
    };
  if (code === 'CERT_NOT_YET_VALID')
    return {
      message: `the certificate of ${host} is not valid yet; the clock of this host says ${now}`,
      hint: 'set the clock of this host',
    };
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return {
      message: `the certificate of ${host} is for other names: ${cert?.subjectaltname ?? 'none'}`,
      hint: `use one of them in link.central_url, or start the coordinator with --name ${host.replace(/:\d+$/, '')}`,
    };
  if (UNKNOWN_AUTHORITY.has(code))
    return {
      message: `the certificate of ${host} is not from an authority that this robot trusts (${code})`,
      hint: 'auraison link enrol takes over the authority of the coordinator; with files, check link.ca_file',
    };
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO')
    return { message: `${host} does not speak TLS as expected: ${message}`, hint: 'check link.central_url' };
  return undefined;
}
