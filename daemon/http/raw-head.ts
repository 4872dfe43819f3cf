import type { IncomingHttpHeaders } from 'node:http';

/** The path that engages the emergency stop. */
export const ESTOP_PATH = '/v1/estop';
/** The same with slashes too many, a query, or the address of the robot in front. */
const MEANT = /^(?:https?:\/\/[^/?#]*)?\/+v1\/+estop\/*(?:[?#]|$)/i;

/** Whether a request means the emergency stop, however its path is written. A release has another path. */
export function meansStop(method: string | undefined, target: string | undefined): boolean {
  return method === 'POST' && MEANT.test(target ?? '');
}

/** What the bytes of an emergency stop say that the HTTP parser refused. */
export type RawStop = {
  /** Those headers that its route looks at. */
  readonly headers: IncomingHttpHeaders;
  /** False: the head has more, or broke off. */
  readonly isWhole: boolean;
};

const REQUEST = /^POST[ \t]+(\S+)(\s?)/;
const HEADER = /^([A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/;
/** Of several the first counts, as in a request that can be parsed. */
const READ: ReadonlySet<string> = new Set(['host', 'authorization', 'x-auraison-origin', 'x-request-id']);

/**
 * Reads the head of a request that the HTTP parser refused; undefined where it is no emergency stop. What permits has to be
 * written well, or it counts as absent. What refuses (Origin) counts however it is written, and of a head that is not whole
 * it is taken for present: a web page may have sent it. One with Authorization is of no web page, which would have to ask first.
 */
export function rawStopOf(bytes: Uint8Array): RawStop | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('latin1')
    .replace(/^[\r\n]+/, '');
  const [, target = '', after] = REQUEST.exec(text) ?? [];
  // A path that breaks off may be longer.
  if (!meansStop('POST', target) || (after === '' && !/[?#]/.test(target))) return undefined;
  const end = text.search(/\r?\n\r?\n/);
  const lines = (end < 0 ? text : text.slice(0, end)).split(/\r\n|\r|\n/).slice(1);
  // The last line may be longer.
  if (end < 0) lines.pop();
  const headers: IncomingHttpHeaders = {};
  const origins: string[] = [];
  for (const line of lines) {
    const [, name = '', value = ''] = HEADER.exec(line) ?? [];
    const known = name.toLowerCase();
    if (READ.has(known)) headers[known] ??= value.trim();
    const [loose = '', ...rest] = line.split(':');
    if (loose.toLowerCase().replace(/[^a-z-]/g, '') === 'origin') origins.push(rest.join(':').trim());
  }
  if (end < 0 && headers.authorization === undefined) origins.push('null');
  if (origins.length > 0) headers.origin = origins.join(', ');
  return { headers, isWhole: end >= 0 };
}
