// npm run console: builds the pages of the console from console/src into console/built, which is in the repository:
// a robot has no build tools. `--check` builds elsewhere and fails where console/built is not what the sources give.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './install.mjs';

export const built = join(root, 'console', 'built');

/** Builds into the folder, which is emptied first. */
async function buildConsole(out) {
  const { build } = await import('vite');
  await build({
    root: join(root, 'console'),
    configFile: false,
    publicDir: false,
    logLevel: 'error',
    // The form for browsers decodes entities through markup, which the policy of the pages forbids.
    resolve: {
      alias: {
        'markdown-to-jsx/entities': join(root, 'node_modules/markdown-to-jsx/dist/entities.generated.js'),
      },
    },
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      outDir: out,
      emptyOutDir: true,
      target: 'es2023',
      // A page of one robot has a policy that allows no inline code, and needs no help of older browsers.
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      sourcemap: false,
      reportCompressedSize: false,
    },
  });
}

/** Files of a built console by name. */
export function filesIn(folder) {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

/** Names of the files in which console/built is not what the sources give; none where it is. */
async function outdatedFiles() {
  const out = mkdtempSync(join(tmpdir(), 'auraison-console-'));
  try {
    await buildConsole(out);
    const [now, then] = [filesIn(out), filesIn(built)];
    return [...new Set([...now.keys(), ...then.keys()])].filter((name) => now.get(name) !== then.get(name));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  // Vite makes other code for a caller that says it is a test.
  process.env.NODE_ENV = 'production';
  if (process.argv.includes('--check')) {
    const outdated = await outdatedFiles();
    for (const name of outdated) console.error(`console/built/${name} is not what console/src gives`);
    if (outdated.length > 0) {
      console.error('run npm run console, and commit console/built');
      process.exitCode = 1;
    }
  } else await buildConsole(built);
}
