// What of a bundle must not be there, by the files themselves: the rules name packages, and packages change.
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** e_machine of ELF, by the processor as Node names it. */
const MACHINES = { x64: 62, arm64: 183 };
const UNREAD = /\.(?:map|h|hh|hpp|hxx|cc|cpp|o|a|lib|pdb|tsbuildinfo)$|\.d\.[cm]?ts$/;
/** First bytes of programs of macOS (both orders, 32 and 64 bit, several processors in one) and Windows. */
const FOREIGN = ['feedface', 'feedfacf', 'cefaedfe', 'cffaedfe', 'cafebabe'];

/** Lines `path: reason`, none where all is well. `arch` is x64 or arm64. */
export function contentFaults(folder, arch) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .flatMap((path) => {
      const reason = UNREAD.test(path) ? 'is never read on a robot' : foreign(join(folder, path), arch);
      return reason === undefined ? [] : [`${path}: ${reason}`];
    })
    .sort();
}

function foreign(file, arch) {
  const head = Buffer.alloc(64);
  const fd = openSync(file, 'r');
  const length = readSync(fd, head, 0, head.length, 0);
  closeSync(fd);
  if (length < 20) return undefined;
  if (head.readUInt32BE(0) === 0x7f454c46) {
    // The sixth byte says in which order the bytes stand.
    const machine = head[5] === 1 ? head.readUInt16LE(18) : head.readUInt16BE(18);
    return machine === MACHINES[arch] ? undefined : `is a binary for another processor (${machine})`;
  }
  if (FOREIGN.includes(head.toString('hex', 0, 4))) return 'is a binary for macOS';
  const windows = head.toString('latin1', 0, 2) === 'MZ' && /\.(?:dll|exe|node)$/.test(file);
  return windows ? 'is a binary for Windows' : undefined;
}
