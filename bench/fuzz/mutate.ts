import type { Random } from './random.ts';

/** Numbers at which length checks go wrong. */
const WORDS = [
  0, 1, 2, 7, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe,
  0xffffffff,
];

/** The bytes with one to eight things wrong with them; now and then none, or nothing of them left. */
export function mutate(source: Uint8Array, random: Random): Uint8Array {
  if (random.chance(0.02)) return random.bytes(random.below(200));
  let bytes: Uint8Array = source.slice();
  const count = random.chance(0.02) ? 0 : 1 + random.below(random.chance(0.2) ? 8 : 2);
  for (let i = 0; i < count; i++) bytes = once(bytes, random);
  return bytes;
}

function once(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (random.below(8)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      if (bytes.length > 0) bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 2:
      if (bytes.length > 0) bytes[at] = random.next() >>> 24;
      return bytes;
    case 3:
      if (at + 4 <= bytes.length) view.setUint32(at, random.pick(WORDS), true);
      return bytes;
    case 4: {
      // Aligned, where length prefixes stand.
      const aligned = at & ~3;
      if (aligned + 4 <= bytes.length) view.setUint32(aligned, random.pick(WORDS), true);
      return bytes;
    }
    case 5:
      if (at + 8 <= bytes.length)
        view.setBigUint64(at, BigInt(random.pick(WORDS)) << BigInt(random.below(33)), true);
      return bytes;
    case 6: {
      const end = Math.min(bytes.length, at + random.below(64));
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    }
    default:
      return Buffer.concat([
        bytes.subarray(0, at),
        random.bytes(random.below(16)),
        bytes.subarray(at + random.below(16)),
      ]);
  }
}

const CHARS = [
  '/',
  '*',
  '**',
  '$*',
  '#',
  '?',
  '%',
  ':',
  ',',
  '"',
  "'",
  '{',
  '}',
  '[',
  ']',
  '\\',
  '\n',
  ' ',
  '-',
  '=',
  '.',
  '0',
  '\0',
  'é',
  '😀',
  '\ud800',
  '__proto__',
];

/** Text with pieces taken out, doubled, or replaced by what parsers trip over. */
export function mutateText(source: string, random: Random): string {
  let text = source;
  for (let i = 1 + random.below(4); i > 0; i--) {
    const at = random.below(text.length + 1);
    const end = Math.min(text.length, at + random.below(12));
    const middle = random.pick([
      '',
      random.pick(CHARS),
      text.slice(at, end).repeat(2),
      random.pick(CHARS).repeat(random.below(40)),
    ]);
    text = text.slice(0, at) + middle + text.slice(random.chance(0.5) ? end : at);
  }
  return text;
}
