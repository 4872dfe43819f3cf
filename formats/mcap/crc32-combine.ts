/**
 * The CRC-32 of two pieces end to end from the CRC-32 of each: crc(AB) = crc(A)·x^(8·|B|) + crc(B) in GF(2)
 * modulo the polynomial of zlib, bits reflected. So a piece is read once, by the reader that has it in its cache.
 */
const POLYNOMIAL = 0xedb88320;
/** x^0 in reflected order. */
const ONE = 0x80000000;

/** The product of two polynomials. */
function multiply(a: number, b: number): number {
  let product = 0;
  let term = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) {
      product ^= term;
      if ((a & (bit - 1)) === 0) break;
    }
    term = (term & 1) !== 0 ? (term >>> 1) ^ POLYNOMIAL : term >>> 1;
  }
  return product >>> 0;
}

/** x^(2^i): each the square of the one before. */
const POWERS = (() => {
  const powers = [0x40000000];
  for (let i = 1; i < 64; i++) powers.push(multiply(powers[i - 1]!, powers[i - 1]!));
  return powers;
})();

/** x^(8·bytes). */
function shiftOf(bytes: number): number {
  let shift = ONE;
  let rest = bytes;
  for (let i = 3; rest > 0; i++) {
    if (rest % 2 === 1) shift = multiply(POWERS[i]!, shift);
    rest = Math.floor(rest / 2);
  }
  return shift;
}

let lastBytes = 0;
let lastShift = ONE;

/** `secondBytes` is the length of the second piece. Microseconds; less where the length is that of the last call. */
export function crc32Combine(first: number, second: number, secondBytes: number): number {
  if (secondBytes !== lastBytes) {
    lastShift = shiftOf(secondBytes);
    lastBytes = secondBytes;
  }
  return (multiply(lastShift, first) ^ second) >>> 0;
}
