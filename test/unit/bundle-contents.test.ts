import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { contentFaults } from '../../scripts/bundle/contents.mjs';
import { freshDir } from '../support/daemon.ts';

const folder = freshDir('bundle-contents');
afterAll(() => folder.remove());

/** The first bytes of an ELF file for the processor with this number. */
function elf(machine: number): Buffer {
  const head = Buffer.alloc(64);
  head.write('\x7fELF\x02\x01', 0, 'latin1');
  head.writeUInt16LE(machine, 18);
  return head;
}

it('finds what a robot of this processor cannot load or never reads', () => {
  const files: Record<string, Buffer | string> = {
    'a/x64.node': elf(62),
    'a/arm64.node': elf(183),
    'b/mac.node': Buffer.concat([Buffer.from('cffaedfe', 'hex'), Buffer.alloc(32)]),
    'b/win.dll': `MZ${' '.repeat(64)}`,
    'b/MZ.js': `MZ = 1; // ${' '.repeat(64)}`,
    'c/index.js': 'export const a = 1;',
    'c/index.js.map': '{}',
    'c/index.d.mts': '',
    'c/addon.h': '',
    'c/empty': '',
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder.path, name, '..'), { recursive: true });
    writeFileSync(join(folder.path, name), content);
  }
  const never = ['c/addon.h', 'c/index.d.mts', 'c/index.js.map'].map((n) => `${n}: is never read on a robot`);
  const other = ['b/mac.node: is a binary for macOS', 'b/win.dll: is a binary for Windows', ...never];
  expect(contentFaults(folder.path, 'x64')).toEqual([
    'a/arm64.node: is a binary for another processor (183)',
    ...other,
  ]);
  expect(contentFaults(folder.path, 'arm64')).toEqual([
    'a/x64.node: is a binary for another processor (62)',
    ...other,
  ]);
});
