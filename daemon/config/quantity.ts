/** Quantities with their unit in the value (`"200 ms"`, `"512 MiB"`): no reader has to guess what 200 meant. */
export type QuantityKind = 'duration' | 'size' | 'frequency' | 'speed' | 'angular_speed' | 'length';

type Units = {
  readonly base: string;
  readonly factors: Readonly<Record<string, number>>;
  readonly example: string;
};

export const QUANTITIES: Readonly<Record<QuantityKind, Units>> = {
  duration: {
    base: 'ms',
    factors: { us: 0.001, ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 },
    example: '200 ms',
  },
  size: {
    base: 'bytes',
    factors: {
      B: 1,
      KB: 1e3,
      MB: 1e6,
      GB: 1e9,
      TB: 1e12,
      KiB: 2 ** 10,
      MiB: 2 ** 20,
      GiB: 2 ** 30,
      TiB: 2 ** 40,
    },
    example: '512 MiB',
  },
  frequency: { base: 'Hz', factors: { Hz: 1, kHz: 1_000 }, example: '20 Hz' },
  speed: { base: 'm/s', factors: { 'm/s': 1, 'cm/s': 0.01, 'km/h': 1 / 3.6 }, example: '0.3 m/s' },
  angular_speed: { base: 'rad/s', factors: { 'rad/s': 1, 'deg/s': Math.PI / 180 }, example: '1.5 rad/s' },
  length: { base: 'm', factors: { m: 1, cm: 0.01, mm: 0.001 }, example: '0.2 m' },
};

export type Parsed =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly expected: string };

/** Reads a quantity into its base unit (ms, bytes, Hz, m/s, rad/s, m). */
export function parseQuantity(kind: QuantityKind, value: unknown): Parsed {
  const units = QUANTITIES[kind];
  const expected = `a ${kind.replace('_', ' ')} with its unit (${Object.keys(units.factors).join(', ')}), for example "${units.example}"`;
  if (typeof value !== 'string') return { ok: false, expected };
  const match = /^\s*(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([A-Za-z/]+)\s*$/i.exec(value);
  if (!match) return { ok: false, expected };
  const factor = Object.hasOwn(units.factors, match[2]!) ? units.factors[match[2]!] : undefined;
  const number = Number(match[1]);
  if (factor === undefined || !Number.isFinite(number)) return { ok: false, expected };
  return { ok: true, value: number * factor };
}

/** JSON Schema pattern of what `parseQuantity` reads. */
export function quantityPattern(kind: QuantityKind): string {
  const units = Object.keys(QUANTITIES[kind].factors).join('|');
  return `^\\s*-?\\d+(\\.\\d+)?([eE][+-]?\\d+)?\\s*(${units})\\s*$`;
}
