/** The largest magnitude that Cedar's decimal holds, whole digits. */
const WHOLE_MAX = 922_337_203_685_476n;

/**
 * A number as Cedar's `decimal`: four digits after the point, rounded away from zero, so that a value beyond a limit
 * never looks as if it were within it. Taken from the shortest text of the number, not from its binary value: 1.1 is
 * 1.1. Undefined where it cannot be held: not finite, or too large.
 */
export function decimalOf(value: number): string | undefined {
  if (!Number.isFinite(value)) return undefined;
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value));
  if (!match) return undefined;
  const [, sign = '', whole = '0', fraction = '', exponent = '0'] = match;
  const digits = `${whole}${fraction}`;
  // Value = digits × 10^scale; as ten-thousandths it is digits × 10^(scale + 4).
  const shift = Number(exponent) - fraction.length + 4;
  let units: bigint;
  if (shift >= 0) {
    if (shift > 40) return undefined;
    units = BigInt(digits) * 10n ** BigInt(shift);
  } else {
    const divisor = 10n ** BigInt(-shift);
    const all = BigInt(digits);
    units = all / divisor + (all % divisor === 0n ? 0n : 1n);
  }
  if (units / 10_000n > WHOLE_MAX) return undefined;
  const text = `${units / 10_000n}.${String(units % 10_000n).padStart(4, '0')}`;
  return units === 0n ? '0.0' : `${sign}${text}`;
}
