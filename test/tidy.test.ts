import { lstatSync } from 'node:fs';
import { dirname, join, matchesGlob, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import config from '../vitest.config.ts';
import { outsidePaths } from './support/outside-paths.ts';
import * as exceptions from './support/tidy/exceptions.ts';
import { filesOf, isDeclaration, isSource, ROOT, readMaybe } from './support/tidy/files.ts';
import { inspectFiles } from './support/tidy/inspect-files.ts';
import { againstTheArrow, isBeside, isPublic, RUNTIME_ROOMS, roomOf } from './support/tidy/rooms.ts';
import { countsOf, type Finding, wordsOf } from './support/tidy/rule.ts';

/**
 * Style is a test: the dependency rule, one room per vendor, file sizes, banned calls, no machine paths. What a rule
 * looks for stands in `support/tidy`, what it lets be in `support/tidy/exceptions.ts`, and what it sees and what it
 * accepts in `unit/tidy-holes.test.ts`.
 */
const files = filesOf();
const text = new Map(files.filter(isSource).flatMap((name) => readMaybe(name)));
const sources = [...text.keys()];
const { imports, found } = inspectFiles(sources);
const own = imports.filter((i) => i.specifier.startsWith('.'));
const vendors = imports.filter(
  (i) => !i.specifier.startsWith('.') && !i.specifier.startsWith('node:') && !isPublic(i.specifier),
);

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}

/** Findings have to be those of a list: no more, and no fewer. */
function expectOnly(
  findings: readonly Finding[],
  listed: Readonly<Record<string, string>>,
  of = countsOf,
): void {
  expect(of(findings)).toEqual(Object.keys(listed));
}

describe('the dependency rule', () => {
  it('is kept by every import between rooms', () => {
    expect(againstTheArrow(imports)).toEqual(Object.keys(exceptions.STARTED));
  });

  it('is not passed by: what is loaded can be read in the source', () => {
    expectOnly(
      found.computed.filter(({ file }) => !isBeside(file)),
      exceptions.COMPUTED_LOADS,
    );
    expectOnly(found.unseenLoads, exceptions.UNSEEN_LOADS, wordsOf);
  });

  it('is not passed by through the composition: it hands on no name of a cell or an application', () => {
    expect(wordsOf(found.handedOn)).toEqual([]);
  });

  it('has one direction within the runtime: a room imports only rooms named before it', () => {
    const roomIn = (name: string) => (name.split('/').length > 3 ? name.split('/')[2]! : 'root');
    const within = own.flatMap(({ from, specifier }) => {
      const target = normalize(join(dirname(from), specifier));
      return [from, target].every((name) => name.startsWith('daemon/runtime/')) ? [{ from, target }] : [];
    });
    const broken = within.filter(
      ({ from, target }) => RUNTIME_ROOMS.indexOf(roomIn(target)) > RUNTIME_ROOMS.indexOf(roomIn(from)),
    );
    expect(broken).toEqual([]);
    const unknown = within.filter(({ from }) => !RUNTIME_ROOMS.includes(roomIn(from)));
    expect(unknown).toEqual([]);
  });

  it('lets each vendor package into exactly one room', () => {
    const rooms = new Map<string, Set<string>>();
    for (const { from, specifier } of vendors) {
      const room = roomOf(from);
      if (['test', 'bench', 'scripts', 'docs', 'vitest.config.ts'].includes(room)) continue;
      // The pages are a program of their own, in a browser: they read messages as the daemon does.
      if (room === 'console' && specifier.startsWith('@foxglove/')) continue;
      const vendor = packageOf(specifier);
      // Schemas are the contract's language; everybody else takes them from `contract/schema-kit.ts`.
      rooms.set(vendor, (rooms.get(vendor) ?? new Set()).add(room));
    }
    const spread = [...rooms]
      .filter(([, set]) => set.size > 1)
      .map(([vendor, set]) => `${vendor}: ${[...set].join(', ')}`);
    expect(spread).toEqual([]);
    expect([...rooms.keys()].length).toBeGreaterThan(5);
  });

  it('lets one vendor into a room of adapters', () => {
    const rooms = new Map<string, Set<string>>();
    for (const { from, specifier } of vendors) {
      const room = roomOf(from);
      if (!room.startsWith('adapters/')) continue;
      const vendor = packageOf(specifier);
      const family = vendor.startsWith('@') ? vendor.split('/')[0]! : vendor;
      rooms.set(room, (rooms.get(room) ?? new Set()).add(family));
    }
    const several = [...rooms].filter(([, set]) => set.size > 1);
    // ROS names its publishers in Zenoh by an XXH128 hash: the one second package of an adapter.
    expect(several).toEqual([['adapters/zenoh', new Set(['@eclipse-zenoh', 'hash-wasm'])]]);
  });

  it('is not passed by in a path that is no import', () => {
    const strange = sources
      .filter((name) => name.startsWith('cli/'))
      .filter((name) =>
        /['"](?:\.\.\/)+(?:apps|scripts|daemon\/(?:execution|runtime|memory|http))\b/.test(text.get(name)!),
      );
    expect(strange).toEqual([]);
  });

  it('keeps vendors and Node out of the contract', () => {
    const strangers = imports.filter(
      (i) =>
        roomOf(i.from) === 'contract' &&
        !i.from.startsWith('contract/tools/') &&
        !i.specifier.startsWith('.') &&
        packageOf(i.specifier) !== 'typebox',
    );
    expect(strangers).toEqual([]);
  });
});

describe('files', () => {
  it('stay small: 400 lines at most', () => {
    const long = sources
      .map((name) => ({ name, lines: (text.get(name) ?? '').split('\n').length }))
      .filter(({ lines }) => lines > 401);
    expect(long).toEqual([]);
  });

  it('of the runtime lie in rooms, each with a README', () => {
    const inRoom = (room: string) =>
      sources.filter((name) => dirname(name) === `daemon/runtime${room === 'root' ? '' : `/${room}`}`);
    const full = RUNTIME_ROOMS.map((room) => ({ room, files: inRoom(room).length })).filter(
      ({ room, files: count }) => count > (room === 'root' ? 6 : 20),
    );
    expect(full).toEqual([]);
    const silent = RUNTIME_ROOMS.filter(
      (room) => room !== 'root' && !files.includes(`daemon/runtime/${room}/README.md`),
    );
    expect(silent).toEqual([]);
  });

  it('are introduced: every room opens with a README', () => {
    const rooms = new Set(
      sources.map(roomOf).filter((room) => !['vitest.config.ts', 'bin', 'docs'].includes(room)),
    );
    const folders = [
      ...rooms,
      ...sources
        .map((name) => dirname(name))
        .filter((name) => /^(?:formats|daemon\/(?:execution|runtime))\/[^/]+$/.test(name)),
    ];
    const silent = [...new Set(folders)].filter((room) => !files.includes(`${room}/README.md`));
    expect(silent).toEqual([]);
  });

  it('have kebab-case names', () => {
    const odd = sources.filter((name) => !/^[a-z0-9.-]+$/.test(name.split('/').at(-1)!));
    expect(odd).toEqual([]);
  });

  it('are erasable TypeScript with import endings', () => {
    const bare = own.filter((i) => !/\.(tsx?|css|json|node|mjs|js|cjs)$/.test(i.specifier));
    expect(bare).toEqual([]);
    // Scripts run under any Node. Whatever else Node would run is written in the one language of the house.
    const other = sources.filter(
      (name) => !/\.ts$|^console\/.*\.tsx$|^scripts\/.*\.mjs$|^adapters\/zenoh\/zenoh-build\.mjs$/.test(name),
    );
    expect(other).toEqual([]);
  });

  it('are all seen: an import names a file that git knows, and no bundle', () => {
    const known = new Set(files);
    const unseen = own.filter(({ from, specifier }) => {
      const target = normalize(join(dirname(from), specifier));
      return !isBeside(from) && (!known.has(target) || target.startsWith('console/built/'));
    });
    expect(unseen).toEqual([]);
  });

  it('are what they are called: no links, and no program under the name of a declaration', () => {
    expect(sources.filter((name) => lstatSync(join(ROOT, name)).isSymbolicLink())).toEqual([]);
    expect(imports.filter((i) => isDeclaration(i.specifier) && !i.typeOnly)).toEqual([]);
  });

  it('hold no path of one machine and no unfinished marks', () => {
    const marks = files
      .filter(
        (name) =>
          /\.(tsx?|mjs|sh|py|md|toml|json|yaml|yml|rs|service|html|js)$/.test(name) &&
          !name.endsWith('package-lock.json') &&
          !name.startsWith('console/built/') &&
          name !== 'test/tidy.test.ts',
      )
      .flatMap((name) => readMaybe(name))
      .flatMap(([name, body]) =>
        /(?:^|[\s"'`(=])\/(?:work|farm|root|home\/[a-z]+)\/|\b(?:TODO|FIXME|XXX)\b/.test(body) ? [name] : [],
      );
    expect(marks).toEqual([]);
  });
});

describe('a clone with nothing beside it', () => {
  it('is all that tests, scripts and benches read', () => {
    const outside = files
      .filter((name) => /^(?:test|scripts|bench|\.ci)\//.test(name) && name !== 'test/tidy.test.ts')
      .filter((name) => name !== 'test/support/outside-paths.ts')
      .flatMap((name) => readMaybe(name))
      .flatMap(([name, body]) => outsidePaths(name, body));
    expect(outside).toEqual([]);
  });

  it.each([
    ['test/unit/a.test.ts', `join(import.meta.dirname, '..', '..', '..', 'data')`],
    ['test/unit/a.test.ts', `new URL('../../../data/one.db3', import.meta.url)`],
    ['test/unit/a.test.ts', `import { a } from '../../../other/a.ts';`],
    ['test/integration/a.test.ts', `const real = join(ROOT, '..', 'data');`],
    ['test/integration/a.test.ts', `const real = resolve(\n  root,\n  '../data',\n);`],
    ['test/peers/a.sh', `cp "$here/../../../data" .`],
    ['test/peers/a.sh', `cp "$repo/../data" .`],
    ['.ci/run', `cd "$(dirname "$0")/../.."`],
    ['test/peers/a.py', `Path(__file__).resolve().parents[3]`],
    ['bench/a.ts', `// as in ../shared/data`],
  ])('%s: %s is seen to leave it', (name, body) => {
    expect(outsidePaths(name, body)).toHaveLength(1);
  });

  it.each([
    ['test/unit/a.test.ts', `join(import.meta.dirname, '..', '..', 'docs')`],
    ['test/unit/a.test.ts', `new URL('../../docs/a.md', import.meta.url)`],
    ['.ci/run', `cd "$(dirname "$0")/.."`],
    ['test/peers/a.sh', `here="$(cd "$(dirname "\${BASH_SOURCE[0]}")" && pwd)"; cat "$here/../../docs"`],
    ['test/peers/a.py', `Path(__file__).resolve().parents[2]`],
  ])('%s: %s stays inside', (name, body) => {
    expect(outsidePaths(name, body)).toEqual([]);
  });
});

describe('calls', () => {
  it('read no clock and start no timer outside the clock adapter', () => {
    expectOnly(found.clocks, exceptions.CLOCKS);
  });

  it('print nothing outside the CLI', () => {
    expect(wordsOf(found.prints)).toEqual([]);
  });
});

describe('tests', () => {
  it('are all run, once, and have to pass: what a host leaves out stands in one list', () => {
    expectOnly(found.testMarks, exceptions.TEST_MARKS);
  });

  it('are not repeated or left out by an option of their runner', () => {
    const runners = files.filter((name) =>
      /^(?:scripts|\.ci)\/|^(?:package\.json|vitest\.config\.ts)$/.test(name),
    );
    const odd = runners
      .flatMap((name) => readMaybe(name))
      .filter(([, body]) => /--retry\b|allowOnly|passWithNoTests|testNamePattern/.test(body));
    expect(odd.map(([name]) => name)).toEqual([]);
  });

  it('lie where a project of the runner finds them', () => {
    const places = config.test!.projects!.flatMap((project) => {
      const { test } = project as { readonly test: { readonly include: readonly string[] } };
      return test.include;
    });
    const lost = files
      .filter((name) => /\.(?:test|spec)\.\w+$/.test(name))
      .filter((name) => !places.some((place) => matchesGlob(name, place)));
    expect(lost).toEqual([]);
  });
});

describe('the door of the execution cell', () => {
  it('is the only one that holds the sink of a robot, and that makes permits', () => {
    // Everything else has a path, a sink that takes permits, or puts a sink behind one in the same expression.
    expectOnly(found.sinks, exceptions.SINKS);
  });

  it('is asked before goals, calls and values of others reach the ROS graph or a key of Zenoh', () => {
    expectOnly(found.robotCalls, exceptions.ROBOT_CALLS);
    expect(wordsOf(found.unaskedCalls)).toEqual([]);
  });
});
