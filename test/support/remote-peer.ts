import type { RuntimeLink } from '../../contract/index.ts';
import type { RemoteRuntimes } from '../../daemon/runtime/remote/remote-runtimes.ts';

export type Wire = { readonly type: string; readonly seq?: number; readonly [key: string]: unknown };

/** One connection in memory. What the runtime says arrives at once, what it hears after this turn. */
class MemoryLink implements RuntimeLink {
  readonly peer = 'test:1';
  readonly heard: (message: Wire) => void;
  take: (text: string) => void = () => {};
  readonly #closed: (() => void)[] = [];
  code: number | undefined;

  constructor(heard: (message: Wire) => void) {
    this.heard = heard;
  }

  send(text: string): void {
    if (this.code !== undefined) return;
    void Promise.resolve().then(() => this.heard(JSON.parse(text) as Wire));
  }

  close(code: number): void {
    if (this.code !== undefined) return;
    this.code = code;
    for (const closed of this.#closed) closed();
  }

  onText(take: (text: string) => void): void {
    this.take = take;
  }

  onClose(closed: () => void): void {
    this.#closed.push(closed);
  }
}

/** A runtime of the contract, as a test wants it: polite unless it is told otherwise. */
export class RemotePeer {
  readonly #runtimes: RemoteRuntimes;
  readonly #name: string;
  #link: MemoryLink | undefined;
  #seq = 0;
  #sent: string[] = [];
  #received = 0;
  #session = '';
  /** Everything that was heard, in order. */
  readonly heard: Wire[] = [];
  /** What it does with a numbered message. */
  onMessage: (message: Wire) => void = () => {};
  acknowledges = true;
  /** Answers heartbeats: for tests in which much time passes. */
  pongs = false;

  constructor(runtimes: RemoteRuntimes, name = 'workshop') {
    this.#runtimes = runtimes;
    this.#name = name;
  }

  get closed(): number | undefined {
    return this.#link?.code;
  }

  of(type: string): Wire[] {
    return this.heard.filter((message) => message.type === type);
  }

  /** Dials in; `resume`: goes on with its session. */
  connect({ resume = false, hello = {} }: { resume?: boolean; hello?: object } = {}): this {
    const link: MemoryLink = new MemoryLink((message) => {
      if (this.#link === link && link.code === undefined) this.#hear(message);
    });
    this.#link = link;
    this.#runtimes.connect(this.#name, link);
    if (!resume) this.forget();
    this.raw({
      ...{ type: 'hello', versions: [1], agents: ['patrol'], capabilities: ['stream', 'messages'] },
      ...(resume ? { resume: { session: this.#session, received: this.#received } } : {}),
      ...hello,
    });
    return this;
  }

  /** As after its own restart. */
  forget(): void {
    this.#seq = 0;
    this.#sent = [];
    this.#received = 0;
  }

  /** The network breaks. */
  cut(): void {
    this.#link?.close(1006);
  }

  /** Sends a numbered message. */
  send(message: object): void {
    const text = JSON.stringify({ ...message, seq: ++this.#seq });
    this.#sent.push(text);
    this.#link?.take(text);
  }

  /** Sends anything. */
  raw(message: unknown): void {
    this.#link?.take(typeof message === 'string' ? message : JSON.stringify(message));
  }

  #hear(message: Wire): void {
    this.heard.push(message);
    if (message.type === 'ping' && this.pongs) this.raw({ type: 'pong' });
    if (message.type === 'welcome') {
      this.#session = String(message['session']);
      if (message['resumed'] !== true) this.forget();
      else for (const text of this.#sent.slice(Number(message['received']))) this.#link?.take(text);
    }
    if (message.seq === undefined || message.seq <= this.#received) return;
    this.#received = message.seq;
    if (this.acknowledges) this.raw({ type: 'ack', received: message.seq });
    this.onMessage(message);
  }
}

/** Follows the contract up to `invoke`, and then does `work`, once for each spawn. */
export function agentOf(peer: RemotePeer, work: (run: RemoteAgent) => Promise<void> | void): RemotePeer {
  const agents = new Map<string, RemoteAgent>();
  peer.onMessage = (message) => {
    const run = String(message['run']);
    if (message.type === 'spawn') {
      agents.set(run, new RemoteAgent(peer, run, message));
      peer.send({ type: 'spawned', run });
    }
    const agent = agents.get(run);
    if (message.type === 'invoke' && agent) void work(agent);
    agent?.hear(message);
  };
  return peer;
}

export class RemoteAgent {
  readonly #peer: RemotePeer;
  readonly run: string;
  readonly spawn: Wire;
  readonly #waiting = new Map<string, (message: Wire) => void>();

  constructor(peer: RemotePeer, run: string, spawn: Wire) {
    this.#peer = peer;
    this.run = run;
    this.spawn = spawn;
  }

  hear(message: Wire): void {
    if (message.type === 'result') this.#waiting.get(`call ${message['call']}`)?.(message);
    if (message.type === 'noted') this.#waiting.get(`batch ${message['batch']}`)?.(message);
  }

  call(call: string, tool: string, args: object = {}): Promise<Wire> {
    const answer = new Promise<Wire>((resolve) => this.#waiting.set(`call ${call}`, resolve));
    this.#peer.send({ type: 'call', run: this.run, call, tool, args });
    return answer;
  }

  phase(phase: string, facts: object = {}, batch = `to-${phase}`): Promise<Wire> {
    const answer = new Promise<Wire>((resolve) => this.#waiting.set(`batch ${batch}`, resolve));
    const events = [{ kind: 'run.phase', payload: { phase, reason: 'test', facts } }];
    this.#peer.send({ type: 'events', run: this.run, batch, events });
    return answer;
  }

  finish(reason = 'done', status = 'succeeded'): void {
    this.#peer.send({ type: 'finish', run: this.run, status, reason });
  }
}
