import { type HostedOutcome, pause, type RuntimeLink } from '../../../../contract/index.ts';
import type { RemoteRuntimes } from '../../../../daemon/runtime/remote/remote-runtimes.ts';
import { RemotePeer } from '../../remote-peer.ts';
import type { VirtualDaemon } from './daemon.ts';
import { WANTS } from './packages.ts';
import { VirtualProcess } from './process.ts';
import { FAR } from './runtime.ts';
import { Intents, type RunAsker, submit } from './ways.ts';

/** Between two calls of an agent, whatever the first was answered, milliseconds. */
const AGAIN_MS = 60;
/** How often a runtime looks whether it is connected, milliseconds. */
const DIAL_MS = 300;
/** Turns of an A2A agent until its task is over, and the next run begins. */
const TURNS_MAX = 8;

/** How the agents of a runtime talk: by the contract itself, or behind the bridge of a protocol. */
export type FarKind = 'runtime' | 'acp' | 'agent';

/**
 * A foreign runtime in a process of its own: its agent asks for motion in every turn, whatever it is answered, and runs of
 * it are asked for again and again.
 */
export class FarRuntime implements RunAsker {
  readonly process: VirtualProcess;
  readonly #daemon: VirtualDaemon;
  readonly #peer: RemotePeer;
  readonly #intents: Intents;
  /** False: nobody reaches this runtime, nor it the daemon. */
  isOnline = true;
  #calls = 0;
  #asks = true;
  /** The process of the daemon that it is connected to. */
  #connected: VirtualProcess | undefined;
  #link: RuntimeLink | undefined;

  static async open(daemon: VirtualDaemon, kind: FarKind): Promise<FarRuntime> {
    const far = new FarRuntime(daemon);
    await far.#serve(kind);
    return far;
  }

  private constructor(daemon: VirtualDaemon) {
    this.#daemon = daemon;
    this.process = new VirtualProcess('far', daemon.host);
    this.#peer = new RemotePeer({ connect: (_name, link) => this.#connect(link) } as RemoteRuntimes, FAR);
    this.#intents = new Intents(daemon, () => submit(daemon, 'far/go'));
  }

  start(): void {
    this.#intents.start();
    this.#dial();
    this.process.every(DIAL_MS, () => this.#dial());
  }

  end(): void {
    this.#asks = false;
    this.endIntents();
  }

  endIntents(): void {
    this.#intents.end();
  }

  /** SIGKILL: the kernel closes its connection. */
  kill(): void {
    this.process.kill();
    this.#link?.close(1006, 'killed');
  }

  /** The link is lost, and both sides see it, until it is online again. */
  cut(): void {
    this.isOnline = false;
    this.#peer.cut();
  }

  #dial(): void {
    if (!this.isOnline) return;
    const { process } = this.#daemon.api;
    if (process === this.#connected && this.#peer.closed === undefined) return;
    // The kernel of a process that was killed has closed the connection.
    if (process !== this.#connected) this.#peer.cut();
    this.#connected = process;
    // Who was welcomed once goes on with its session, where the daemon still knows it.
    const resume = this.#peer.of('welcome').length > 0;
    this.#peer.connect({ resume, hello: { agents: [FAR] } });
  }

  /** Both ends are processes: what one says the other reads when it runs. */
  #connect(link: RuntimeLink): void {
    this.#link = link;
    const { api } = this.#daemon;
    let take: (text: string) => void = () => {};
    link.onText((text) => api.process.deliver(() => void accepted.then(() => take(text))));
    const far: RuntimeLink = {
      peer: link.peer,
      send: (text) => this.process.deliver(() => link.send(text)),
      close: (code, reason) => this.process.deliver(() => link.close(code, reason)),
      onText: (hear) => {
        take = hear;
      },
      onClose: (closed) => link.onClose(() => api.process.deliver(closed)),
    };
    const accepted = api.ask(({ runtimes }) => runtimes.connect(FAR, far));
  }

  async #serve(kind: FarKind): Promise<void> {
    // The libraries of the protocols are loaded where they are wanted.
    const { MemoryAgent, serveAcpAgent, serveHosted } = await import('../../acp-script.ts');
    const { tool, args, places } = WANTS[this.#daemon.robotKind];
    const next = () => ({ id: `c${++this.#calls}`, args: args(places[this.#calls % 2]) });
    const done: HostedOutcome = { status: 'succeeded', reason: 'enough' };
    const clock = this.process;
    if (kind === 'runtime') {
      serveHosted(this.#peer, async (run) => {
        while (this.#asks && !run.signal.aborted) {
          const call = next();
          await run.ask(tool, call.args, call.id);
          await pause(clock, AGAIN_MS);
        }
        return done;
      });
    } else if (kind === 'acp') {
      const agent = new MemoryAgent(clock, {
        script: async ({ tools, cancelled }) => {
          while (this.#asks && !cancelled.aborted) {
            await tools.call(tool.replace('.', '_'), next().args);
            await pause(clock, AGAIN_MS);
          }
          await tools.call('run_finish', done);
          return undefined;
        },
      });
      serveAcpAgent(this.#peer, agent.parts({ silenceMs: 600_000 }));
    } else {
      const { MemoryA2aAgent, serveA2aAgent } = await import('../../a2a-agent.ts');
      let turns = 0;
      const agent = new MemoryA2aAgent(async () => {
        await pause(clock, AGAIN_MS);
        // One task of the library bears so many turns.
        if (!this.#asks || ++turns % TURNS_MAX === 0) return { end: 'completed', text: 'enough' };
        const call = next();
        return { calls: [{ id: call.id, name: tool, args: call.args }] };
      });
      serveA2aAgent(this.#peer, agent.parts(clock, { timeoutMs: 600_000 }));
    }
  }
}
