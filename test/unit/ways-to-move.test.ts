import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CALLS, type CallName, METHODS, PolicyContext, RunState } from '../../contract/index.ts';
import { ASKER_KINDS } from '../../daemon/execution/door/command.ts';
import { ROOT } from '../support/daemon.ts';
import {
  ASKERS,
  ATTACHED,
  CALLERS,
  CLIENTS,
  HARNESSES,
  HTTP_MOVES,
  MOVES,
  ORIGINS,
  STANDS,
  WAYS,
} from '../support/ways-to-move.ts';

const ROOMS = ['daemon', 'cli', 'adapters', 'central-link', 'apps'];

/** Sources outside of the execution cell. */
function sources(): string[] {
  return ROOMS.flatMap((room) =>
    (readdirSync(join(ROOT, room), { recursive: true }) as string[]).map((name) => `${room}/${name}`),
  ).filter(
    (name) =>
      name.endsWith('.ts') && !name.startsWith('daemon/execution/') && !name.includes('/node_modules/'),
  );
}

/** A way that nobody has judged yet is a hole in every policy: it gets a row before it gets into the house. */
describe('the list of ways to move the robot', () => {
  it('has every call to the execution cell: it moves, or it stands', () => {
    const calls = (Object.keys(CALLS) as CallName[]).filter((name) => CALLS[name].to === 'execution');
    expect([...Object.keys(MOVES), ...STANDS].sort()).toEqual([...calls].sort());
    expect(Object.keys(MOVES).filter((name) => STANDS.has(name))).toEqual([]);
  });

  it('has every place that asks for a call that moves', () => {
    const names = Object.entries(METHODS.execution)
      .filter(([, method]) => Object.hasOwn(MOVES, method))
      .map(([name]) => name);
    const pattern = new RegExp(`\\b(${[...names, 'MOTION_METHODS'].join('|')})\\b`, 'g');
    const found = sources().flatMap((name) => {
      const text = readFileSync(join(ROOT, name), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      expect([name, /request(<[^(]*>)?\(\s*'execution',\s*'/.test(text)]).toEqual([name, false]);
      return [...new Set([...text.matchAll(pattern)].map(([, one]) => `${basename(name)} ${one}`))];
    });
    expect(found.sort()).toEqual(Object.keys(CALLERS).sort());
  });

  it('has everybody who asks at the door', () => {
    expect(Object.keys(ASKERS).sort()).toEqual([...ASKER_KINDS].sort());
  });

  it('has every origin of an intent', () => {
    const { enum: origins } = PolicyContext.properties.origin as unknown as { enum: readonly string[] };
    expect(Object.keys(ORIGINS).sort()).toEqual([...origins].sort());
  });

  it('has everything that executes a run, and every client that a runtime is made of', () => {
    const { enum: harnesses } = RunState.properties.harness as unknown as { enum: readonly string[] };
    expect(Object.keys(HARNESSES).sort()).toEqual([...harnesses].sort());
    const clients = readdirSync(join(ROOT, 'clients'), { withFileTypes: true });
    const folders = clients.filter((one) => one.isDirectory()).map(({ name }) => name);
    expect(Object.keys(CLIENTS).sort()).toEqual(folders.sort());
  });

  it('has every route of the API that asks the policies about a motion', () => {
    const folder = join(ROOT, 'daemon/http/routes');
    const judged = readdirSync(folder).filter((name) => {
      const text = readFileSync(join(folder, name), 'utf8');
      return /\bjudge(Motion|Action)\b/.test(text);
    });
    expect(judged.sort()).toEqual(['controllers.ts', 'motions.ts', 'plays.ts', 'ros.ts', 'safety.ts']);
    // Who judges does it by `judgedOrder`, so that a caller who hung up moves nothing.
    for (const name of judged)
      expect([name, readFileSync(join(folder, name), 'utf8').includes('judgedOrder(')]).toEqual([name, true]);
  });

  it('has every request of attached programs that may move the robot', () => {
    const paths = ['io/attached', 'adapters/foxglove', 'adapters/rosbridge'].flatMap((room) =>
      readdirSync(join(ROOT, room))
        .filter((name) => name.endsWith('.ts'))
        .flatMap((name) => [
          ...readFileSync(join(ROOT, room, name), 'utf8').matchAll(/['`](\/v1\/[a-z/]*[a-z])/g),
        ])
        .map(([, path]) => path!),
    );
    const moves = new Set(paths.filter((path) => Object.hasOwn(HTTP_MOVES, path)));
    expect([...moves].sort()).toEqual(Object.keys(ATTACHED).sort());
  });

  it('names ways that are tried', () => {
    const named = [MOVES, CALLERS, ASKERS, ATTACHED, ORIGINS, HARNESSES, CLIENTS, HTTP_MOVES].flatMap((map) =>
      Object.values(map).flat(),
    );
    const known: readonly string[] = WAYS;
    expect([...new Set(named)].filter((way) => !known.includes(way))).toEqual([]);
    expect(new Set(WAYS).size).toBe(WAYS.length);
  });
});
