/** What a person can do about an error of a connection to a broker, in one sentence. `url`: without credentials. */
export function brokerFault(thrown: unknown, url: string): string {
  const { code, message = String(thrown) } = (thrown ?? {}) as { code?: string | number; message?: string };
  const said = message === '' ? String(code) : message;
  switch (code) {
    case 'ECONNREFUSED':
      return `no broker listens at ${url}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host of ${url} is not known`;
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `the certificate of ${url} is of an authority that does not count here (${said}): name it`;
    // Reason codes of MQTT 5, 3.2.2.2.
    case 0x84:
      return `${url} does not speak MQTT 5`;
    case 0x86:
    case 0x87:
      return `${url} refuses name and password, or the certificate (${said})`;
    default:
      return said;
  }
}
