import { readFile } from 'node:fs/promises';
import {
  type CellContext,
  type ConfigChange,
  EdgeError,
  METHODS,
  type PolicyDesk,
  TOPICS,
} from '../../contract/core.ts';
import { type WireKeysFile, wireKeysFault } from '../../formats/policy-wire/wire-keys.ts';
import type { WireServer, WireServerOptions, WireServerView } from '../../formats/policy-wire/wire-server.ts';
import { listenAddress } from '../config/serve.ts';
import type { Config } from '../config.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';
import { leRobotOptions } from './serve-lerobot.ts';

type Wire = 'lerobot' | 'openpi' | 'groot';
type Start = (desk: PolicyDesk, options: WireServerOptions, serve: Config['serve']) => Promise<WireServer>;

/** Packages are loaded where an address asks for them. */
const STARTS: Readonly<Record<Wire, Start>> = {
  async lerobot(desk, options, serve) {
    const { serveLeRobot } = await import('../../adapters/lerobot/index.ts');
    return serveLeRobot(desk, { ...options, ...leRobotOptions(serve) });
  },
  async openpi(desk, options) {
    const { OpenPiServer } = await import('../../adapters/openpi/index.ts');
    return OpenPiServer.start(desk, options);
  },
  async groot(desk, options) {
    const { GrootServer } = await import('../../adapters/groot/index.ts');
    return GrootServer.start(desk, options);
  },
};
const WIRES = Object.keys(STARTS) as Wire[];
/** An address that cannot be had now may be free later, milliseconds. */
const RETRY_MS = 5_000;
/** Each kind of fault of foreign clients is logged once in this time; the rest is counted; milliseconds. */
const QUIET_MS = 10_000;
/** How often the servers are asked whether policies have outgrown them, milliseconds. */
const LOOK_MS = 5_000;

/** The servers of `[serve]`. */
export type Serving = {
  /** After the policies are known. Never rejects. */
  start(): Promise<void>;
  close(): Promise<void>;
};

/** A changed section counts without a restart of the cell: servers are closed and opened again. */
export function makeServing(
  { config }: Settings,
  { clock, bus, report }: Pick<CellContext, 'clock' | 'bus' | 'report'>,
  desk: PolicyDesk,
): Serving {
  const open = new Map<Wire, WireServer>();
  let serve = config.serve;
  let closed = false;
  let generation = 0;
  let work: Promise<void> = Promise.resolve();

  bus.handle(METHODS.execution.wireList, async () => ({
    wires: [...open.values()].map((server) => server.view()),
  }));
  bus.onBroadcast(TOPICS.configChanged, (body) => {
    const { sections, config: changed } = body as ConfigChange;
    if (!sections.includes('serve')) return;
    serve = (changed as Config).serve;
    void renew();
  });

  function renew(): Promise<void> {
    generation += 1;
    const mine = generation;
    work = work.then(async () => {
      await closeAll();
      await Promise.all(WIRES.map((wire) => begin(wire, mine)));
    });
    return work;
  }

  async function begin(wire: Wire, mine: number): Promise<void> {
    const address = serve[`${wire}_listen`];
    if (address === '' || closed || mine !== generation) return;
    try {
      const server = await STARTS[wire](desk, await optionsOf(wire, address), serve);
      // What is configured may be another by now, its token too: this one belongs to nobody.
      if (closed || mine !== generation) return await server.close();
      open.set(wire, server);
      report('info', `policies are served to clients of ${wire}`, { address: addressOf(server.view()) });
    } catch (thrown) {
      const { code, message, hint } = EdgeError.from(thrown, 'internal.fault', 'serve', wire);
      report('error', `policies are not served to clients of ${wire}: ${message}`, { code, hint });
      // What only a person can fix is not tried again.
      if (code === 'host.port_in_use') clock.after(RETRY_MS, () => void begin(wire, mine));
    }
  }

  async function optionsOf(wire: Wire, address: string): Promise<WireServerOptions> {
    return {
      ...listenAddress(address),
      token: readSecret(serve.token_file, 'serve.token_file', process.env),
      clientsMax: serve.max_clients,
      deadlineMs: serve.timeout,
      keys: await readKeys(serve[`${wire}_keys`]),
      clock,
      onFault: quietly(wire),
    };
  }

  /** Who floods the server with nonsense does not flood the log. */
  function quietly(wire: Wire): WireServerOptions['onFault'] {
    const told = new Map<string, { readonly atMs: number; more: number }>();
    return ({ code, message, hint }, client) => {
      const last = told.get(code);
      const now = clock.monotonicMs();
      if (last && now - last.atMs < QUIET_MS) {
        last.more += 1;
        return;
      }
      told.set(code, { atMs: now, more: 0 });
      report('warn', `${wire}: ${message}`, { code, hint, client, unsaid: last?.more ?? 0 });
    };
  }

  async function closeAll(): Promise<void> {
    const servers = [...open.values()];
    open.clear();
    await Promise.all(servers.map((server) => server.close()));
  }

  const looks = clock.every(LOOK_MS, () => {
    for (const [wire, server] of open) if (server.outgrown?.()) void again(wire);
  });

  async function again(wire: Wire): Promise<void> {
    const server = open.get(wire);
    open.delete(wire);
    const mine = generation;
    await server?.close();
    await begin(wire, mine);
  }

  return {
    start: () => renew(),
    async close() {
      closed = true;
      looks.cancel();
      await work;
      await closeAll();
    },
  };
}

/** Throws `config.invalid` naming the file. */
async function readKeys(path: string): Promise<WireKeysFile> {
  if (path === '') return {};
  let fault: string | undefined;
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
    fault = wireKeysFault(value);
  } catch (cause) {
    fault = (cause as Error).message;
  }
  if (fault === undefined) return value as WireKeysFile;
  throw new EdgeError('config.invalid', {
    operation: 'read keys of a wire',
    subject: path,
    message: `${path}: ${fault}`,
    hint: 'docs/wires.md has the form of this file',
  });
}

function addressOf({ host, port }: WireServerView): string {
  return `${host}:${port}`;
}
