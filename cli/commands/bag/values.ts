import { EdgeError } from '../../../contract/core.ts';

const UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  min: 60e9,
  h: 3600e9,
};
const BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  kib: 1024,
  m: 1e6,
  mb: 1e6,
  mib: 1024 ** 2,
  g: 1e9,
  gb: 1e9,
  gib: 1024 ** 3,
};

export function wrongValue(option: string, text: string, expected: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'bag',
    subject: option,
    message: `${option} ${text}: ${expected} expected`,
  });
}

/** `10`, `10s`, `1m30s`, `250ms` as nanoseconds; a bare number is seconds. */
export function durationNs(text: string, option: string): bigint {
  if (/^\d+(?:\.\d+)?$/.test(text)) return BigInt(Math.round(Number(text) * 1e9));
  const whole = /^(?:\d+(?:\.\d+)?(?:ns|us|ms|s|min|m|h))+$/.test(text);
  if (!whole) throw wrongValue(option, text, 'a duration like 10s, 1m30s or 250ms');
  let ns = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|min|m|h)/g))
    ns += Number(count) * UNIT_NS[unit!]!;
  return BigInt(Math.round(ns));
}

/** `500MB`, `2GiB`, `1000000` as bytes. */
export function sizeBytes(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
  const unit = BYTES[match?.[2]?.toLowerCase() ?? ''];
  const size = unit === undefined ? Number.NaN : Math.round(Number(match?.[1]) * unit);
  if (!(size > 0)) throw wrongValue(option, text, 'a size like 500MB or 2GiB');
  return size;
}

/**
 * A moment of a recording: `+10s` or `10s` after its start, `-10s` before its end, seconds since 1970 with a
 * fraction, nanoseconds since 1970, or ISO 8601.
 */
export function momentNs(text: string, span: { startNs: bigint; endNs: bigint }, option: string): bigint {
  if (/^\d{16,19}$/.test(text)) return BigInt(text);
  const epoch = /^(\d{9,11})(?:\.(\d{1,9}))?$/.exec(text);
  if (epoch) return BigInt(epoch[1]!) * 1_000_000_000n + BigInt((epoch[2] ?? '').padEnd(9, '0'));
  if (/^\d{4}-\d\d-\d\dT/.test(text)) return isoNs(text, option);
  if (text.startsWith('-')) return span.endNs - durationNs(text.slice(1), option);
  if (/^\+?\d/.test(text)) return span.startNs + durationNs(text.replace(/^\+/, ''), option);
  throw wrongValue(
    option,
    text,
    '+10s (after the start), -10s (before the end), seconds since 1970 or an ISO time',
  );
}

/** Date knows milliseconds; the digits after them are kept. Without a zone it is UTC. */
function isoNs(text: string, option: string): bigint {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  const ms = match ? Date.parse(`${match[1]}${match[3] ?? 'Z'}`) : Number.NaN;
  if (Number.isNaN(ms)) throw wrongValue(option, text, 'an ISO time like 2026-11-21T10:00:00Z');
  return BigInt(ms) * 1_000_000n + BigInt((match![2] ?? '').padEnd(9, '0'));
}

export function oneOf<T extends string>(text: string, choices: readonly T[], option: string): T {
  const found = choices.find((choice) => choice === text);
  if (found) return found;
  throw wrongValue(option, text, choices.join(', '));
}

/** Words of a list option, given several times or with commas. */
export function words(values: readonly string[] | undefined): string[] {
  return (values ?? []).flatMap((value) => value.split(',')).filter((word) => word !== '');
}
