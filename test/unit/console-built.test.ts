import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';

/** The files in `console/built` are what robots serve: made of the sources beside them, and small. */
const script = join(import.meta.dirname, '..', '..', 'scripts', 'console.mjs');
const { built, filesIn } = (await import(script)) as {
  built: string;
  filesIn: (folder: string) => Map<string, string>;
};
/** Bytes on the wire until the first page is useful. */
const FIRST_BYTES_MAX = 250_000;

describe('console/built', () => {
  it('is what npm run console makes of the sources', { timeout: 120_000 }, async () => {
    const check = spawn(process.execPath, [script, '--check'], { stdio: ['ignore', 'inherit', 'pipe'] });
    const [said, [code]] = await Promise.all([text(check.stderr), once(check, 'exit')]);
    expect([said, code]).toEqual(['', 0]);
  });

  it('needs less than 250 KB, compressed, until its first page is useful', () => {
    const files = filesIn(built);
    const first = new Set(['index.html']);
    // What the page names, and what that imports at once. A page that is loaded later is not among it.
    for (const name of first) {
      const text = files.get(name)!;
      const named = [
        ...text.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g),
        ...text.matchAll(/(?:\bfrom|\bimport)\s*"\.\/([^"]+)"/g),
      ].map(([, found]) => (found!.startsWith('assets/') ? found! : `assets/${found}`));
      for (const one of named) first.add(one);
    }
    expect(first.size).toBeGreaterThan(2);
    const bytes = [...first].reduce((sum, name) => sum + gzipSync(files.get(name)!).length, 0);
    expect(bytes).toBeLessThan(FIRST_BYTES_MAX);
    // Loaded when they are shown.
    expect([...files.keys()].filter((name) => /routes-page|runs-page/.test(name) && first.has(name))).toEqual(
      [],
    );
  });
});
