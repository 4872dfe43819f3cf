// Packs the sources into few files, for each process and thread one and what they share: they start in two thirds
// of the time. The sources stay where they are: packed files read from there what is no code.
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, relative, sep } from 'node:path';
import { root } from '../install.mjs';
import { PLACE, packedName, placeModule, programsOf, withOwnPlace } from './own-places.mjs';
import { PACKED_PACKAGES, packageOf } from './packages.mjs';

/** Rooms whose code runs in a daemon or a command. */
const ROOMS = [
  'contract',
  'formats',
  'history',
  'io',
  'daemon',
  'adapters',
  'central',
  'central-link',
  'sim',
  'cli',
  'clients',
];
/** Where a person starts; what those start in turn is found in the sources. */
const FIRST = ['cli/entry.ts', 'daemon/main.ts'];

/**
 * These run as sources wherever they are started. The simulated robot is counted in from outside, by modules that reach
 * into its own.
 */
const AS_SOURCES = new Set(['sim/host.ts']);

/** All sources of the rooms, as paths from the root. */
export function sourcesOf() {
  return ROOMS.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true })
      .map((name) => `${room}/${name.split(sep).join('/')}`)
      .filter((name) => name.endsWith('.ts') && !name.includes('/node_modules/')),
  ).sort();
}

/** Everything that gets a packed file of its own. */
export function entriesOf(sources) {
  const found = sources.flatMap((source) => programsOf(source, readFileSync(join(root, source), 'utf8')));
  return [...new Set([...FIRST, ...found])].filter((entry) => !AS_SOURCES.has(entry)).sort();
}

/**
 * Writes the packed files into `out`, an empty folder or none; `up` leads from there to the root (`../`). Rejects with
 * what cannot be packed, and where the packer (a tool of developers) is not installed.
 */
export async function pack({ out, up }) {
  const entries = entriesOf(sourcesOf());
  const isEntry = (source) => entries.includes(source);
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: root,
    entryPoints: entries.map((source) => ({ in: source, out: packedName(source).slice(0, -'.mjs'.length) })),
    outdir: out,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'shared-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    legalComments: 'none',
    logLevel: 'error',
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    plugins: [ownPlaces(up, isEntry), builtIns(), packages()],
  });
}

const ownPlaces = (up, isEntry) => ({
  name: 'own places',
  setup(build) {
    build.onResolve({ filter: /^auraison:place$/ }, () => ({ path: PLACE, namespace: 'place' }));
    build.onLoad({ filter: /.*/, namespace: 'place' }, () => ({ contents: placeModule(up), loader: 'js' }));
    build.onLoad({ filter: /\.(?:ts|mjs)$/ }, ({ path }) => {
      const source = relative(root, path).split(sep).join('/');
      if (source.startsWith('..') || source.includes('node_modules/')) return undefined;
      return {
        contents: withOwnPlace(source, readFileSync(path, 'utf8'), isEntry),
        loader: source.endsWith('.ts') ? 'ts' : 'js',
      };
    });
  },
});

/**
 * Imported as a module, these load all that their lazy properties stand for: WebCrypto, and a whole HTTP client for
 * `http.WebSocket`. That is a tenth of a second of each process. Asked for by name they do not.
 */
const LAZY = /^(?:node:)?(https?|crypto)$/;
const builtIns = () => ({
  name: 'built-in modules',
  setup(build) {
    build.onResolve({ filter: LAZY }, ({ path }) => ({ path, namespace: 'built-in' }));
    build.onLoad({ filter: LAZY, namespace: 'built-in' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
      loader: 'js',
    }));
  },
});

/** Packages that are not packed are loaded from the installed ones, as the sources do. */
const packages = () => ({
  name: 'packages',
  setup(build) {
    const inner = new Set(builtinModules);
    build.onResolve({ filter: /^[^./]/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (pluginData === 'asked' || path.startsWith('node:') || inner.has(path)) return undefined;
      if (kind === 'entry-point' || path === PLACE) return undefined;
      const name = packageOf(path);
      if (PACKED_PACKAGES.has(name)) return undefined;
      if (!importer.includes(`${sep}node_modules${sep}`)) return { path, external: true };
      // What a packed package brought for itself alone cannot be found from the packed files.
      const own = join(root, 'node_modules', name) + sep;
      const found = await build.resolve(path, { resolveDir, kind, importer, pluginData: 'asked' });
      // Where it is not installed, it is one that the other does without.
      return found.errors.length > 0 || found.path.startsWith(own) ? { path, external: true } : found;
    });
  },
});
