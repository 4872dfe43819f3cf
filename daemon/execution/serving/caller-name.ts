/** A caller of the key space says its name itself; `zenoh.access` and certificates decide who may ask at all. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,63}$/;
const ATTACHMENT_BYTES_MAX = 1_024;

/**
 * The caller: `caller=NAME` among the parameters of the selector, or a line `caller: NAME` in the attachment. Zenoh
 * shows a queryable nothing of the session that asked: all callers without a name are one, `anonymous`.
 */
export function callerName(parameters: string, attachment: Uint8Array | undefined): string {
  const named = /(?:^|[;&])caller=([^;&]*)/.exec(parameters)?.[1];
  if (named !== undefined && NAME.test(named)) return named;
  if (attachment === undefined || attachment.byteLength > ATTACHMENT_BYTES_MAX) return 'anonymous';
  const line = /^caller: *(\S+)\s*$/m.exec(new TextDecoder().decode(attachment))?.[1];
  return line !== undefined && NAME.test(line) ? line : 'anonymous';
}

/** The value of one parameter of a selector; undefined: it is not there. */
export function parameterOf(parameters: string, name: string): string | undefined {
  for (const part of parameters.split(/[;&]/)) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at) === name) return part.slice(at + 1);
  }
  return undefined;
}
