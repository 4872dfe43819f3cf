import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import {
  ContainerEngine,
  findLimitMode,
  leadsHome,
  makeGroup,
  sweepScratch,
} from '../../adapters/sandbox/index.ts';
import type { SandboxProfile } from '../../contract/index.ts';
import { freshDir } from '../support/daemon.ts';
import { MIB, TESTED } from '../support/sandbox-rig.ts';

let dir: ReturnType<typeof freshDir>;
let root: string;
beforeEach(() => {
  dir = freshDir('sandbox-containers');
  root = realpathSync(dir.path);
});
afterEach(() => dir.remove());

const COMMAND = { file: 'serve', args: ['--quiet'], env: { PATH: '/bin', WORD: 'a word' }, folder: '/srv' };

describe('docker and podman', () => {
  /** A client that notes what it is asked. No engine is there. */
  function engine(provider: 'docker' | 'podman'): ContainerEngine {
    const bin = join(root, 'bin');
    mkdirSync(bin, { recursive: true });
    const client = `#!/bin/sh\necho "$@" >> ${join(root, 'asked')}\n`;
    writeFileSync(join(bin, provider), client, { mode: 0o755 });
    return new ContainerEngine(provider, {
      ...{ clock: new SystemClock(), dataDir: join(root, 'data'), searchPath: bin, scratchBase: root },
    });
  }
  const profile = (more: Partial<SandboxProfile> = {}): SandboxProfile => ({
    ...{ ...TESTED, image: 'registry.example/tool@sha256:0', time: 60_000, processor: 0.5 },
    ...more,
  });

  it.each(['docker', 'podman'] as const)(
    '%s gets every limit of the profile, and no secret in its arguments',
    async (provider) => {
      const secrets = [
        { name: 'token', as: 'file' as const, read: () => 'canary-file' },
        { name: 'API_KEY', as: 'variable' as const, read: () => 'canary-variable' },
      ];
      const held = await engine(provider).prepare(profile({ secrets }), COMMAND);
      const line = held.args.join(' ');
      for (const part of [
        '--network none --read-only --cap-drop ALL --security-opt no-new-privileges',
        `--memory ${96 * MIB} --memory-swap ${96 * MIB} --pids-limit 24 --cpus 0.5`,
        `--tmpfs /tmp:rw,nosuid,nodev,size=${4 * MIB}`,
        `fsize=${2 * MIB}`,
        '--workdir /srv',
        provider === 'docker'
          ? 'registry.example/tool@sha256:0 timeout -s KILL 60 serve --quiet'
          : '--timeout 60 registry.example/tool@sha256:0 serve --quiet',
      ])
        expect(line).toContain(part);
      expect(line + JSON.stringify(held.env)).not.toContain('canary');
      const envFile = held.args[held.args.indexOf('--env-file') + 1]!;
      expect(readFileSync(envFile, 'utf8')).toBe('WORD=a word\nAPI_KEY=canary-variable\n');
      await held.release();
      const name = held.args[held.args.indexOf('--name') + 1]!;
      expect(readFileSync(join(root, 'asked'), 'utf8')).toBe(`rm --force --volumes ${name}\n`);
      expect(() => readFileSync(envFile)).toThrow('ENOENT');
    },
  );

  it('refuses a list of places, variables of several lines, and says so where there is no client', async () => {
    const network = [{ name: 'a.example', host: 'a.example', port: 443 }];
    await expect(engine('docker').prepare(profile({ network }), COMMAND)).rejects.toMatchObject({
      code: 'config.invalid',
      message: 'docker cannot hold a list of places in the network',
    });
    await expect(
      engine('podman').prepare(profile(), { ...COMMAND, env: { KEY: 'a\nPATH=/evil' } }),
    ).rejects.toMatchObject({ code: 'config.invalid', message: 'the variable KEY has more than one line' });
    const none = new ContainerEngine('docker', {
      ...{ clock: new SystemClock(), dataDir: root, searchPath: join(root, 'nothing') },
    });
    await expect(none.prepare(profile(), COMMAND)).rejects.toMatchObject({ code: 'host.missing' });
    expect(await none.probe()).toMatchObject({ ready: false, fix: 'install docker' });
  });
});

describe('what sandboxes share', () => {
  it('writes every limit of a control group of version 2, and makes none where nothing is delegated', () => {
    const base = join(root, 'groups');
    mkdirSync(base);
    const group = makeGroup({ kind: 'cgroup v2', base }, 'one', {
      memory: 5 * MIB,
      processes: 7,
      processor: 0.25,
    });
    const read = (file: string) => readFileSync(join(base, 'one', file), 'utf8');
    expect(group?.enter).toEqual([join(base, 'one', 'cgroup.procs')]);
    expect([read('memory.max'), read('pids.max'), read('cpu.max'), read('memory.oom.group')]).toEqual([
      ...[`${5 * MIB}`, '7', '25000 100000', '1'],
    ]);
    // No group above hands controllers on: a folder is not one.
    writeFileSync(join(base, 'cgroup.controllers'), '');
    expect(findLimitMode(base, '0::/own/group\n')).toEqual({ kind: 'rlimits' });
    expect(findLimitMode(base, '')).toEqual({ kind: 'rlimits' });
  });

  it('follows no name of the network to this host or its link', () => {
    for (const address of [
      '127.0.0.1',
      '127.8.0.1',
      '0.0.0.0',
      '169.254.169.254',
      '::1',
      '::',
      '::ffff:127.0.0.1',
      'fe80::1',
    ])
      expect(leadsHome(address), address).toBe(true);
    for (const address of ['10.0.0.7', '192.0.2.1', '2001:db8::1', 'fd00::7'])
      expect(leadsHome(address), address).toBe(false);
  });

  it('sweeps what killed daemons left, and only that', () => {
    // A process id above the highest that Linux gives.
    for (const name of [
      'auraison-sandbox-4194305-abc',
      `auraison-sandbox-${process.pid}-abc`,
      'auraison-sandbox-x',
      'mine',
    ])
      mkdirSync(join(root, name));
    expect(sweepScratch(root)).toBe(1);
    expect(() => readFileSync(join(root, 'auraison-sandbox-4194305-abc'))).toThrow('ENOENT');
    expect(() => readFileSync(join(root, `auraison-sandbox-${process.pid}-abc`))).toThrow('EISDIR');
  });
});
