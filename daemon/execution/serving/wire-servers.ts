import { type CellContext, EdgeError, METHODS, type PolicyDesk, TOPICS } from '../../../contract/core.ts';
import type {
  WireServer,
  WireServerOptions,
  WireServerView,
} from '../../../formats/policy-wire/wire-server.ts';

export type Wire = 'lerobot' | 'openpi' | 'groot';

/** The configuration of all wires, as it is now. */
export type WireConfig = {
  /** Host and port; empty: this wire is not served. */
  address(wire: Wire): string;
  options(wire: Wire, address: string): Promise<Omit<WireServerOptions, 'clock' | 'onFault'>>;
  start(wire: Wire, desk: PolicyDesk, options: WireServerOptions): Promise<WireServer>;
};

export type WireServersParts = {
  readonly context: Pick<CellContext, 'clock' | 'bus' | 'report'>;
  readonly desk: PolicyDesk;
  readonly wires: readonly Wire[];
  readonly config: WireConfig;
  /** Of a broadcast that the configuration changed; undefined: nothing about wires. */
  changed(body: unknown): WireConfig | undefined;
};

/** An address that is not available now may be free later, milliseconds. */
const RETRY_MS = 5_000;
/** Each kind of fault of foreign clients is logged once in this time; the rest is counted; milliseconds. */
const QUIET_MS = 10_000;
/** How often the servers are asked whether policies have outgrown them, milliseconds. */
const LOOK_MS = 5_000;

/** The servers of policies for foreign clients. */
export type Serving = {
  /** After the policies are known. Never rejects. */
  start(): Promise<void>;
  close(): Promise<void>;
};

/** A changed section counts without a restart of the cell: servers are closed and opened again. */
export function serveWires(parts: WireServersParts): Serving {
  const { desk, wires } = parts;
  const { clock, bus, report } = parts.context;
  let config = parts.config;
  const open = new Map<Wire, WireServer>();
  let closed = false;
  let generation = 0;
  let work: Promise<void> = Promise.resolve();

  bus.handle(METHODS.execution.wireList, async () => ({
    wires: [...open.values()].map((server) => server.view()),
  }));
  bus.onBroadcast(TOPICS.configChanged, (body) => {
    const next = parts.changed(body);
    if (!next) return;
    config = next;
    void renew();
  });

  function renew(): Promise<void> {
    generation += 1;
    const mine = generation;
    work = work.then(async () => {
      await closeAll();
      await Promise.all(wires.map((wire) => begin(wire, mine)));
    });
    return work;
  }

  async function begin(wire: Wire, mine: number): Promise<void> {
    const address = config.address(wire);
    if (address === '' || closed || mine !== generation) return;
    try {
      const server = await config.start(wire, desk, {
        ...(await config.options(wire, address)),
        ...{ clock, onFault: quietly(wire) },
      });
      // What is configured may be another by now, its token too: this one has no owner.
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

function addressOf({ host, port }: WireServerView): string {
  return `${host}:${port}`;
}
