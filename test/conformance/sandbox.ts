import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostParts } from '../../adapters/sandbox/index.ts';
import type { Sandbox, SandboxCommand } from '../../contract/index.ts';
import { until } from '../support/daemon.ts';
import { ATTACK, MIB, processesWith, SandboxRig, TESTED } from '../support/sandbox-rig.ts';

/** What every provider on this host holds, tried by a program that wants out. */
export function sandboxConformance(name: string, make: (parts: HostParts) => Sandbox): void {
  describe(`the sandbox of ${name}`, () => {
    const rig = new SandboxRig(make);
    const { dataDir, notes, shown, scratchBase, root, sandbox, heard } = rig;
    beforeAll(() => rig.open());
    afterAll(() => rig.close());
    const profile = rig.profile.bind(rig);
    const attackOf = rig.attackOf.bind(rig);
    const start = rig.start.bind(rig);
    const ended = rig.ended.bind(rig);
    const runs = rig.runs.bind(rig);
    const attack = rig.attack.bind(rig) as typeof rig.attack;

    it('runs a program with its streams, arguments, folder and exit code', async () => {
      const command: SandboxCommand = {
        file: 'sh',
        args: ['-c', 'cat; pwd; echo "$1"; echo "$WORD"; echo wrong >&2; exit 7', 'sh', 'an argument'],
        env: { PATH: '/usr/bin:/bin', WORD: 'a word' },
        folder: shown,
      };
      const prepared = await sandbox.prepare(profile({ readOnly: [shown] }), command);
      const child = start(prepared);
      child.stdin.end('from stdin\n');
      const { out, err, code } = await ended(child);
      await prepared.release();
      expect({ out, err, code }).toEqual({
        out: `from stdin\n${shown}\nan argument\na word\n`,
        err: 'wrong\n',
        code: 7,
      });
      expect(readdirSync(scratchBase)).toEqual([]);
    });

    it('shows the files of its profile and no other', async () => {
      const secrets = [
        '/etc/shadow',
        '/etc/ssl/private',
        '/etc/hostname',
        '/var',
        '/boot',
        join(dataDir, 'token'),
      ];
      const files = await attack<Record<string, string>>(
        ['read', ...secrets, join(shown, 'map'), '/etc/passwd', '/sys/kernel/uevent_helper'],
        { readOnly: [shown] },
      );
      expect(files[join(shown, 'map')]).toBe('of the house');
      expect(files['/etc/passwd']).toMatch(/^sandbox:[^\n]*\n$/);
      for (const path of [...secrets, '/sys/kernel/uevent_helper'])
        expect(files[path], path).toMatch(/^(?:ENOENT|EACCES)$/);
      const lists = await attack<Record<string, readonly string[] | string>>(
        ['list', '/', root, '/run', '/tmp'],
        {
          readOnly: [shown],
        },
      );
      expect(lists[root]).toEqual(['shown']);
      expect(lists['/']).not.toContain('home');
      expect([[], ['secrets'], 'ENOENT']).toContainEqual(lists['/run']);
    });

    it('lets it write to folders for that, /tmp and nowhere else', async () => {
      const places = [
        join(notes, 'note'),
        '/tmp/mine',
        join(shown, 'map'),
        '/usr/bin/mine',
        '/mine',
        '/dev/mine',
      ];
      const written = await attack<Record<string, unknown>>(
        ['write', ...places, '/etc/passwd', '/run/mine'],
        {
          readOnly: [shown],
          readWrite: [notes],
        },
      );
      expect(written).toMatchObject({ [places[0]!]: 1, [places[1]!]: 1 });
      for (const path of [...places.slice(2), '/etc/passwd', '/run/mine'])
        expect(written[path], path).toMatch(/^(?:EROFS|EACCES|EPERM|ENOENT|ENOSPC)$/);
      expect(readFileSync(join(shown, 'map'), 'utf8')).toBe('of the house');
      expect(existsSync('/tmp/mine')).toBe(false);
    });

    it('fills no disk: /tmp, shared memory and single files are bounded', async () => {
      const file = join(notes, 'giant');
      type Filled = Record<string, { readonly bytes: number; readonly why: string }>;
      const filled = await attack<Filled>(['fill', `${64 * MIB}`, '/tmp/giant', '/dev/shm/giant', file], {
        readWrite: [notes],
        fileSize: 8 * MIB,
      });
      for (const path of ['/tmp/giant', '/dev/shm/giant']) {
        expect(filled[path]!.bytes, path).toBeLessThanOrEqual(TESTED.temporary);
        expect(filled[path]!.why, path).toBe('ENOSPC');
      }
      expect(filled[file]).toEqual({ bytes: 8 * MIB, why: 'EFBIG' });
    });

    it('does not follow a link that it made, and refuses a profile that names one', async () => {
      expect(
        await attack(['link', join(dataDir, 'token'), join(notes, 'link')], { readWrite: [notes] }),
      ).toEqual({ inside: 'ENOENT' });
      symlinkSync('/etc', join(root, 'elsewhere'));
      for (const path of [
        join(notes, 'link'),
        join(root, 'elsewhere'),
        '/',
        '/proc',
        '/run',
        '/etc',
        root,
        dataDir,
      ])
        await expect(
          sandbox.prepare(profile({ readOnly: [path] }), attackOf(['read'])),
          path,
        ).rejects.toMatchObject({ code: 'config.invalid', subject: 'sandboxes.tested' });
      expect(readdirSync(scratchBase)).toEqual([]);
    });

    it('has no network: not this host, not another, no abstract socket', async () => {
      const name = `auraison-sandbox-test-${process.pid}-${rig.port}`;
      const abstract = createServer().listen(`\0${name}`);
      await once(abstract, 'listening');
      const before = heard.length;
      const dialled = await attack<Record<string, string>>([
        'dial',
        `127.0.0.1:${rig.port}`,
        '192.0.2.1:80',
        '1.1.1.1:53',
      ]);
      for (const [place, came] of Object.entries(dialled))
        expect(came, place).toMatch(/^(?:ECONNREFUSED|ENETUNREACH)$/);
      expect(await attack<string>(['abstract', name])).toBe('ECONNREFUSED');
      expect(heard).toHaveLength(before);
      abstract.close();
    });

    it('reaches what its profile lists, by name and rig.port, and nothing beside it', async () => {
      const other = createServer(() => heard.push('another service')).listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port: otherPort } = other.address() as { port: number };
      const dialled = await attack<Record<string, string>>(
        [
          'dial',
          `127.0.0.1:${rig.port}`,
          'plant.example:80',
          `plant.example:${rig.port}`,
          `127.0.0.1:${otherPort}`,
        ],
        {
          network: [
            { name: '127.0.0.1', host: '127.0.0.1', port: rig.port },
            // Inside it is another name, and another door of the same place.
            { name: 'plant.example', host: '127.0.0.1', port: rig.port },
          ],
        },
      );
      other.close();
      expect(dialled).toEqual({
        [`127.0.0.1:${rig.port}`]: 'from outside',
        [`plant.example:${rig.port}`]: 'from outside',
        'plant.example:80': 'ECONNREFUSED',
        [`127.0.0.1:${otherPort}`]: 'ECONNREFUSED',
      });
      expect(heard).not.toContain('another service');
    });

    it('sees, signals, traces and reads no process of the host', async () => {
      const { seen, tried } = await attack<{
        readonly seen: readonly string[];
        readonly tried: Record<string, Record<string, string>>;
      }>(['processes', `${process.pid}`, `${process.ppid}`]);
      expect(seen.length).toBeLessThan(6);
      expect(seen.join()).not.toMatch(/vitest|node/);
      for (const pid of [process.pid, process.ppid])
        expect(tried[pid]).toEqual({ kill: 'ESRCH', environ: 'ENOENT', memory: 'ENOENT', trace: 'ESRCH' });
      const child = spawn('sleep', ['300']);
      await once(child, 'spawn');
      await runs(attackOf(['kill all']));
      expect(child.exitCode ?? child.signalCode).toBe(null);
      child.kill('SIGKILL');
    });

    it('has no rights to gain: no capability, no user or mount namespace, no program of root', async () => {
      const powers = await attack<Record<string, unknown>>(['powers']);
      expect(powers).toMatchObject({ effective: 0, bounding: 0, no_new_privileges: '1' });
      for (const key of ['users', 'mounts', 'mount', 'chroot'])
        expect(powers[key], key).toMatch(/^(?:EPERM|ENOSPC|EINVAL)$/);
      expect(powers['root']).toMatch(/^(?:EPERM|EINVAL|is the only user here)$/);
      expect(powers['su']).not.toBe('0\n');
    });

    it('turns nothing of the host: no file of /proc that is not of its processes can be written', async () => {
      expect(await attack(['tunables'])).toEqual([]);
    });

    it('holds a fork bomb', async () => {
      const { started, why } = await attack<{ started: number; why: string }>(['forks', '400']);
      expect({ why, few: started < TESTED.processes + 24, some: started > 4 }).toEqual({
        why: 'EAGAIN',
        few: true,
        some: true,
      });
      const prepared = await sandbox.prepare(profile({ time: 1_000 }), attackOf(['bomb']));
      const child = start(prepared);
      await ended(child);
      await prepared.release();
      await until(() => processesWith(ATTACK).length === 0, 'no process of the bomb is left');
    });

    it('holds a memory bomb', async () => {
      const { out, code, signal } = await runs(attackOf(['memory', '1024']));
      const got = out === '' ? undefined : (JSON.parse(out) as { mib: number; why: string });
      expect(got === undefined ? (signal ?? code) !== 0 : got.mib * MIB <= TESTED.memory).toBe(true);
    });

    it('ends when its time is over, also when it ignores signals', async () => {
      const { out } = await runs(attackOf(['orphans', '4711.1']), { time: 500 });
      expect(out).toBe('"ready"\n');
      await until(() => processesWith('4711.1').length === 0, 'nothing of it is left');
    });

    it.each(['the process', 'the starter'] as const)(
      'leaves nothing behind when %s is killed',
      async (who) => {
        const word = who === 'the process' ? '4712.1' : '4713.1';
        const prepared = await sandbox.prepare(profile(), attackOf(['orphans', word]));
        // The process that started it, as a daemon would be killed.
        const { file, args, env } = prepared;
        const starter = `const { spawn } = require('node:child_process');
        const child = spawn(process.argv[1], JSON.parse(process.argv[2]), { stdio: 'inherit', detached: true });
        child.on('exit', () => process.exit());`;
        const child =
          who === 'the process'
            ? start(prepared)
            : spawn(process.execPath, ['-e', starter, file, JSON.stringify(args)], { env: { ...env } });
        await once(child.stdout, 'data');
        await until(() => processesWith(`sleep\0${word}`).length === 1, 'it has an orphan');
        child.kill('SIGKILL');
        await until(() => processesWith(word).length === 0, 'nothing of it is left');
        await prepared.release();
        expect(readdirSync(scratchBase)).toEqual([]);
      },
    );

    it('gives secrets as files and variables, and shows them to no list of processes', async () => {
      const secrets = [
        { name: 'token', as: 'file' as const, read: () => 'canary-of-the-file' },
        { name: 'API_KEY', as: 'variable' as const, read: () => 'canary-of-the-variable' },
      ];
      const got = await attack<Record<string, unknown>>(['secrets'], { secrets });
      expect(got).toMatchObject({ file: 'canary-of-the-file', variable: 'canary-of-the-variable' });
      // Nothing of the environment of this process.
      expect(got['environment']).not.toContain('VITEST');
      const prepared = await sandbox.prepare(profile({ secrets }), attackOf(['sleep', '300']));
      const child = start(prepared);
      await once(child.stdout, 'data');
      expect(prepared.args.join(' ') + JSON.stringify(prepared.env)).not.toContain('canary');
      expect(processesWith('canary')).toEqual([]);
      child.kill('SIGKILL');
      await prepared.release();
      expect(readdirSync(scratchBase)).toEqual([]);
    });

    it('says what it cannot run: a program or folder that is not inside', async () => {
      const program = join(shown, 'tool');
      writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
      const command = { file: program, args: [], env: {} };
      await expect(sandbox.prepare(profile(), command)).rejects.toMatchObject({
        code: 'config.invalid',
        message: `the program ${program} is not in the sandbox`,
        hint: `add ${shown} to read_only of the profile tested`,
      });
      await expect(
        sandbox.prepare(profile(), { ...command, file: 'sh', env: { PATH: '/bin' }, folder: notes }),
      ).rejects.toMatchObject({
        code: 'config.invalid',
        message: `the folder ${notes} is not in the sandbox`,
      });
    });
  });
}
