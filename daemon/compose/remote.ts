import { randomBytes } from 'node:crypto';
import type { Sandboxes } from '../../adapters/sandbox/index.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import {
  type Application,
  type CellContext,
  EdgeError,
  type Harness,
  type RuntimeProgram,
} from '../../contract/core.ts';
import { KeptProcess, type Startable } from '../../io/kept-process.ts';
import { runtimeToken } from '../../io/runtime-token.ts';
import { type RuntimeRow, startsItself } from '../config/runtimes.ts';
import { RemoteHarness } from '../runtime/remote/remote-harness.ts';
import type { RunPauses } from '../runtime/remote/remote-run.ts';
import { RemoteRuntimes } from '../runtime/remote/remote-runtimes.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';
import { bridgeOf } from './bridges.ts';
import { environment } from './mcp.ts';
import { sandboxed } from './sandboxes.ts';

export type Remote = {
  readonly runtimes: RemoteRuntimes | undefined;
  /** Starts those runtimes that this daemon starts itself; `url` is where the API listens. */
  start(url: string): void;
  stop(): Promise<void>;
  readonly harnesses: { readonly remote: (app: Application) => Harness };
};

/** Foreign runtimes of `[runtimes]`, and the harness of applications that run in one. */
export async function makeRemote(
  { config, dataDir }: Settings,
  { clock, report }: CellContext,
  pauses: RunPauses,
  sandboxes: Sandboxes,
): Promise<Remote> {
  const { accept, heartbeat, keep } = config.runtimes;
  const secrets = new FileSecrets(dataDir, String(process.pid));
  const identities = await Promise.all(
    accept.map(async ({ name, token_file }) => ({
      name,
      token:
        readSecret(token_file, `runtimes.accept: ${name}`, process.env) ??
        (await runtimeToken(secrets, name)),
    })),
  );
  if (new Set(identities.map(({ token }) => token)).size < identities.length)
    throw new EdgeError('config.invalid', {
      ...{ operation: 'read tokens', subject: 'runtimes.accept' },
      message: 'two runtimes have the same token',
    });
  const programOf = (name: string): RuntimeProgram | undefined => {
    const found = programs.get(name);
    return found && { what: whatOf(found.row), sandbox: found.row.sandbox, ...found.process.view() };
  };
  const runtimes = new RemoteRuntimes({
    programOf,
    ...{ robot: config.daemon.name, clock, identities, heartbeatMs: heartbeat, keepMs: keep, report },
    sessionId: () => randomBytes(16).toString('hex'),
  });
  const programs = new Map<string, { readonly row: RuntimeRow; readonly process: KeptProcess }>();
  return {
    start(url) {
      for (const row of accept.filter(startsItself)) {
        const { token } = identities.find(({ name }) => name === row.name)!;
        const prepare = () => startableOf(row, { url, token, dataDir, sandboxes });
        const process = new KeptProcess({ clock, name: `runtime ${row.name}`, prepare, report });
        programs.set(row.name, { row, process });
        process.start();
      }
    },
    async stop() {
      await Promise.all([...programs.values()].map(({ process }) => process.stop()));
    },
    runtimes: identities.length > 0 ? runtimes : undefined,
    harnesses: { remote: (app) => new RemoteHarness(app, runtimes, pauses) },
  };
}

/** What starts a runtime: it gets the address of this daemon and its token, and in a sandbox reaches nothing else. */
async function startableOf(
  row: RuntimeRow,
  at: {
    readonly url: string;
    readonly token: string;
    readonly dataDir: string;
    readonly sandboxes: Sandboxes;
  },
): Promise<Startable> {
  const { folder, env, sandbox } = row;
  const { hostname, port } = new URL(at.url);
  const bare = hostname.replace(/^\[|\]$/g, '');
  const host = bare === '0.0.0.0' || bare === '::' ? '127.0.0.1' : bare;
  const held = sandbox !== '' && sandbox !== 'none';
  const address = held ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  const bridge = bridgeOf(row, folder || (held ? '/tmp' : at.dataDir));
  const [file, ...args] = (bridge?.command ?? row.command) as readonly [string, ...string[]];
  const scheme = bridge ? 'http' : 'ws';
  const plain = {
    ...{ file: file === 'node' ? process.execPath : file, args },
    env: {
      ...environment(env, process.env),
      AURAISON_URL: `${scheme}://${address}:${port}`,
      // The agent of a bridge runs as the same user, and could read its variables.
      ...(bridge ? {} : { AURAISON_RUNTIME_TOKEN: at.token }),
    },
  };
  const input = bridge ? { input: JSON.stringify({ token: at.token, ...bridge.secrets }) } : {};
  const doors = [{ name: '127.0.0.1', host, port: Number(port) }];
  const more = { doors, ...(bridge ? { readOnly: bridge.readOnly } : {}) };
  const made = sandboxed(at.sandboxes, sandbox, { ...plain, ...more, ...(folder === '' ? {} : { folder }) });
  return { ...(made === undefined ? { ...plain, folder: folder || at.dataDir } : await made()), ...input };
}

/** For people. An address shows neither user nor query: they may hold secrets. */
function whatOf({ command, acp, a2a }: RuntimeRow): string {
  if (a2a !== '') return `A2A agent ${new URL(a2a).origin}`;
  return acp.length > 0 ? `ACP agent ${acp[0]}` : command[0]!;
}
