import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { HostParts } from '../../adapters/sandbox/index.ts';
import type { Sandbox, SandboxCommand, SandboxedCommand, SandboxProfile } from '../../contract/index.ts';
import { freshDir } from './daemon.ts';

/** A program that wants out, in Python. */
export const ATTACK = join(import.meta.dirname, '..', 'peers', 'sandbox_attack.py');
/** That of the system, or another with its own folder. */
const PYTHON = existsSync('/usr/bin/python3')
  ? { program: '/usr/bin/python3', folders: [] }
  : (JSON.parse(
      execFileSync('python3', [
        '-c',
        'import json, os, sys; print(json.dumps({"program": os.path.realpath(sys.executable), "folders": [sys.base_prefix]}))',
      ]).toString(),
    ) as { readonly program: string; readonly folders: readonly string[] });
export const MIB = 2 ** 20;
export const TESTED: SandboxProfile = {
  name: 'tested',
  readOnly: [],
  readWrite: [],
  network: [],
  processor: 0,
  memory: 96 * MIB,
  processes: 24,
  time: 0,
  temporary: 4 * MIB,
  fileSize: 2 * MIB,
  secrets: [],
  image: '',
  namespace: 'default',
};

export type Ended = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
};

/** Folders of a host, a service on it, and programs that run in one sandbox. */
export class SandboxRig {
  readonly dir = freshDir('sandbox');
  readonly root = realpathSync(this.dir.path);
  readonly dataDir = this.#folder('data');
  readonly notes = this.#folder('notes');
  readonly shown = this.#folder('shown');
  readonly scratchBase = this.#folder('scratch');
  readonly sandbox: Sandbox;
  /** What the service was sent. */
  readonly heard: string[] = [];
  port = 0;
  #service: Server | undefined;

  constructor(make: (parts: HostParts) => Sandbox) {
    writeFileSync(join(this.dataDir, 'token'), 'of the daemon');
    writeFileSync(join(this.shown, 'map'), 'of the house');
    const { dataDir, scratchBase } = this;
    this.sandbox = make({ clock: new SystemClock(), dataDir, scratchBase });
  }

  /** Fails where the provider does not work here, and says the way out: a test is not skipped for it. */
  async open(): Promise<void> {
    const { ready, detail, fix } = await this.sandbox.probe();
    if (!ready) throw new Error(`sandboxes of ${this.sandbox.provider} do not work here: ${detail}. ${fix}`);
    this.#service = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        this.heard.push(String(bytes));
        socket.end('from outside');
      });
    }).listen(0, '127.0.0.1');
    await once(this.#service, 'listening');
    this.port = (this.#service.address() as { port: number }).port;
  }

  close(): void {
    this.#service?.close();
    this.dir.remove();
  }

  profile(more: Partial<SandboxProfile> = {}): SandboxProfile {
    return { ...TESTED, ...more };
  }

  attackOf(args: readonly string[]): SandboxCommand {
    return {
      file: PYTHON.program,
      args: [ATTACK, ...args],
      env: { PATH: '/usr/bin:/bin' },
      readOnly: [ATTACK, ...PYTHON.folders],
    };
  }

  start({ file, args, env, folder }: SandboxedCommand): ChildProcessWithoutNullStreams {
    return spawn(file, [...args], { env: { ...env }, cwd: folder, detached: true });
  }

  async ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
    let [out, err] = ['', ''];
    child.stdout.on('data', (text) => {
      out += text;
    });
    child.stderr.on('data', (text) => {
      err += text;
    });
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    return { code, signal, out, err };
  }

  async runs(command: SandboxCommand, more: Partial<SandboxProfile> = {}): Promise<Ended> {
    const prepared = await this.sandbox.prepare(this.profile(more), command);
    try {
      const child = this.start(prepared);
      child.stdin.end();
      return await this.ended(child);
    } finally {
      await prepared.release();
    }
  }

  /** What the attack says it got. */
  async attack<T>(args: readonly string[], more: Partial<SandboxProfile> = {}): Promise<T> {
    const { out, err, code } = await this.runs(this.attackOf(args), more);
    if (out === '') throw new Error(`the attack printed nothing (exit ${code}): ${err}`);
    return JSON.parse(out) as T;
  }

  #folder(name: string): string {
    const path = join(this.root, name);
    mkdirSync(path);
    return path;
  }
}

/** Processes of this host that have a word in their command. */
export function processesWith(word: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
    } catch {
      return false;
    }
  });
}
