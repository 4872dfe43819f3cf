/** A regular file of an archive. */
export type TarFile = { readonly path: string; readonly bytes: Uint8Array };
export type TarLimits = { readonly filesMax: number; readonly fileBytesMax: number };
export type TarResult =
  | { readonly ok: true; readonly files: readonly TarFile[] }
  | { readonly ok: false; readonly problem: string };

const BLOCK = 512;
/** Long names of POSIX archives stand in a record before their file. */
const PAX_BYTES_MAX = 64 * 1024;

/**
 * The regular files of a tar archive (ustar, POSIX, GNU long names), as views of its bytes. Links and devices are
 * refused, folders are skipped. Names are as the archive has them: the caller that writes them out checks them. Never
 * throws.
 */
export function readTar(archive: Uint8Array, limits: TarLimits): TarResult {
  const files: TarFile[] = [];
  let longName: string | undefined;
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    if (!sumFits(header)) return bad(`the header at byte ${at} is damaged`);
    const size = numberIn(header, 124, 12);
    if (size === undefined) return bad(`the header at byte ${at} has no size`);
    const type = String.fromCharCode(header[156]!);
    const name = longName ?? nameIn(header);
    const begin = at + BLOCK;
    const end = begin + size;
    if (end > archive.length) return bad(`${shown(name)} is truncated`);
    const body = archive.subarray(begin, end);
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x' || type === 'L') {
      if (size > PAX_BYTES_MAX) return bad('a record of names is too large');
      longName = type === 'L' ? textOf(body) : (paxPath(body) ?? longName);
      continue;
    }
    longName = undefined;
    if (type === 'g' || type === '5') continue;
    if (type === '1' || type === '2') return bad(`${shown(name)} is a link`);
    if (type !== '0' && type !== '\0') return bad(`${shown(name)} is not a regular file`);
    if (files.length >= limits.filesMax) return bad(`more than ${limits.filesMax} files`);
    if (size > limits.fileBytesMax)
      return bad(`${shown(name)} has ${size} bytes, at most ${limits.fileBytesMax}`);
    files.push({ path: name, bytes: body });
  }
  return { ok: true, files };
}

function nameIn(header: Uint8Array): string {
  const name = textOf(header.subarray(0, 100));
  const isUstar = textOf(header.subarray(257, 262)) === 'ustar';
  const prefix = isUstar ? textOf(header.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function paxPath(body: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(body);
  for (let at = 0; at < text.length; ) {
    const [, digits] = /^(\d{1,6}) /.exec(text.slice(at, at + 8)) ?? [];
    const length = Number(digits);
    if (digits === undefined || length <= digits.length + 1) return undefined;
    const record = text.slice(at + digits.length + 1, at + length - 1);
    if (record.startsWith('path=')) return record.slice('path='.length);
    at += length;
  }
  return undefined;
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function numberIn(header: Uint8Array, from: number, length: number): number | undefined {
  const text = textOf(header.subarray(from, from + length)).trim();
  return /^[0-7]{1,11}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

function sumFits(header: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : header[i]!;
  return numberIn(header, 148, 8) === sum;
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 120));
}

function bad(problem: string): TarResult {
  return { ok: false, problem };
}
