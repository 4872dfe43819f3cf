import { type AgentApp, type AnyMessage, agent, type Stream } from '@agentclientprotocol/sdk';
import {
  type AcpParts,
  AgentGuard,
  type AgentLink,
  acpRun,
  type RunTools,
} from '../../adapters/acp/index.ts';
import { Run } from '../../clients/typescript/auraison-runtime.ts';
import { type Clock, EdgeError, type HostedOutcome } from '../../contract/index.ts';
import type { RemotePeer, Wire } from './remote-peer.ts';

/** What a scripted agent can do in a turn. */
export type Turn = {
  readonly text: string;
  readonly session: string;
  /** The n-th prompt of this process. */
  readonly turn: number;
  /** The tools of its run, as MCP would give them. */
  readonly tools: RunTools;
  readonly cancelled: AbortSignal;
  say(text: string): Promise<void>;
  update(update: object): Promise<void>;
  permit(title: string | undefined, kind?: string, rawInput?: object): Promise<string>;
};
export type TurnScript = (turn: Turn) => Promise<string | undefined>;

export type ScriptedAgent = {
  readonly script: TurnScript;
  readonly loadSession?: boolean;
  /** Adds handlers that count instead of its own. */
  readonly change?: (app: AgentApp) => void;
};

/** An agent of the protocol's own library in memory, behind the guard that a process has. */
export class MemoryAgent {
  readonly #clock: Clock;
  readonly #scripted: ScriptedAgent;
  readonly links: { kill(how: string): void; raw(line: string): void; closed: boolean }[] = [];
  readonly asked: { readonly method: string; readonly params: unknown }[] = [];
  #tools: RunTools | undefined;

  constructor(clock: Clock, scripted: ScriptedAgent) {
    this.#clock = clock;
    this.#scripted = scripted;
  }

  parts(more: Partial<AcpParts> = {}): AcpParts {
    let lives = 0;
    return {
      ...{ clock: this.#clock, name: 'scripted', folder: '/tmp/none', report: () => {} },
      life: () => `l${++lives}x${Math.round(this.#clock.monotonicMs())}`,
      start: async () => this.#start(),
      offer: async (tools) => {
        this.#tools = tools;
        return {
          server: () => ({ type: 'http', name: 'robot', url: 'http://127.0.0.1:1/mcp', headers: [] }),
          close: async () => {},
        };
      },
      ...more,
    };
  }

  #start(): AgentLink {
    const ended = Promise.withResolvers<EdgeError>();
    const toAgent = new TransformStream<AnyMessage, AnyMessage>();
    const writer = toAgent.writable.getWriter();
    const link = { closed: false, kill: (_: string) => {}, raw: (_: string) => {} };
    const over = (error: EdgeError) => {
      guard.end(error);
      ended.resolve(error);
      link.closed = true;
      void writer.close().catch(() => {});
    };
    const guard: AgentGuard = new AgentGuard({
      ...{ clock: this.#clock, name: 'scripted', broken: over },
      write: (text) => {
        const message = JSON.parse(text) as AnyMessage & { id?: unknown; method?: string; params?: unknown };
        if (message.method !== undefined) this.asked.push({ method: message.method, params: message.params });
        // Answers to what a test sent in its name: the library of the agent knows nothing of them.
        if (String(message.id).startsWith('raw')) return;
        if (!link.closed) void writer.write(message).catch(() => {});
      },
    });
    link.raw = (line) => guard.take(Buffer.from(line));
    link.kill = (how) =>
      over(new EdgeError('runtime.lost', { operation: 'run agent', subject: 'scripted', message: how }));
    this.links.push(link);
    const stream: Stream = {
      readable: toAgent.readable,
      writable: new WritableStream({ write: (message) => guard.take(Buffer.from(JSON.stringify(message))) }),
    };
    this.#app(this.#scripted).connect(stream);
    return {
      ...{ stream: guard.stream, updates: guard.updates, ended: ended.promise },
      close: async () => link.kill('closed'),
    };
  }

  #app({ script, loadSession = false, change }: ScriptedAgent): AgentApp {
    let turns = 0;
    let cancel = new AbortController();
    const app = agent({ name: 'scripted' });
    // The first handler of a method counts.
    change?.(app);
    app
      .onRequest('initialize', () => ({ protocolVersion: 1, agentCapabilities: { loadSession } }))
      .onRequest('session/new', () => ({ sessionId: 'one' }))
      .onNotification('session/cancel', () => cancel.abort())
      .onRequest('session/prompt', async ({ params, client }) => {
        cancel = new AbortController();
        const sessionId = params.sessionId;
        const update = (body: object) =>
          client.notify('session/update', { sessionId, update: body } as never);
        const [block] = params.prompt;
        const stopReason = await script({
          ...{ text: (block as { text: string }).text, session: sessionId, turn: ++turns },
          ...{ tools: this.#tools!, cancelled: cancel.signal, update },
          say: (text) => update({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } }),
          permit: async (
            title,
            kind = 'execute',
            rawInput = kind === 'execute' ? { command: title } : {},
          ) => {
            const about = { title, kind: kind as 'execute', rawInput };
            const answer = await client.request('session/request_permission', {
              sessionId,
              // Without a title it is known by what was reported of it.
              toolCall: { toolCallId: 'p1', ...(title === undefined ? {} : { ...about, title }) },
              options: [
                { optionId: 'yes', name: 'yes', kind: 'allow_once' },
                { optionId: 'ever', name: 'ever', kind: 'allow_always' },
                { optionId: 'no', name: 'no', kind: 'reject_once' },
              ],
            });
            return answer.outcome.outcome === 'selected' ? answer.outcome.optionId : 'cancelled';
          },
        });
        return {
          stopReason: (stopReason ?? (cancel.signal.aborted ? 'cancelled' : 'end_turn')) as 'end_turn',
        };
      });
    if (loadSession) app.onRequest('session/load', () => ({}));
    return app;
  }
}

/** Serves the runs of a peer with agents of the protocol, through the client for runtimes as it is published. */
export function serveAcpAgent(peer: RemotePeer, parts: AcpParts): RemotePeer {
  return serveHosted(peer, (run) => acpRun(run, parts));
}

/** Serves the runs of a peer through the client for runtimes as it is published. */
export function serveHosted(peer: RemotePeer, work: (run: Run) => Promise<HostedOutcome>): RemotePeer {
  const runs = new Map<string, Run>();
  peer.pongs = true;
  peer.onMessage = (message: Wire) => {
    const id = String(message['run']);
    if (message.type === 'spawn') {
      runs.get(id)?.end();
      runs.set(id, new Run(message, (one) => peer.send(one)));
      peer.send({ type: 'spawned', run: id });
    }
    const run = runs.get(id);
    if (message.type === 'invoke' && run) {
      const { intent, text } = message as unknown as {
        intent: { type: string; params: object };
        text?: string;
      };
      Object.assign(run, { intent: intent.type, params: intent.params, text: text ?? '' });
      void run.work(work);
    }
    if (message.type === 'result' || message.type === 'noted') run?.hear(message as never);
    if (message.type === 'channel' && run) run.onMessage(message as never);
    if (message.type === 'destroy') {
      run?.end();
      runs.delete(id);
    }
  };
  return peer;
}
