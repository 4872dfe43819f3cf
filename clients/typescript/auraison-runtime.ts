/**
 * A runtime for Auraison robots in one file, without dependencies: Node 22 or newer, or Bun. Copy it beside your program.
 * The contract is contract/RUNTIME.md.
 *
 *     await serve('ws://127.0.0.1:7601', token, {
 *       patrol: async (run) => {
 *         await run.call('robot.maneuver', { kind: 'drive', distance_m: 0.3 });
 *         return 'drove';
 *       },
 *     });
 */
type Json = Readonly<Record<string, unknown>>;
type Message = Json & { readonly type: string; readonly seq?: number; readonly run?: string };
export type Answer = Message & {
  readonly ok?: boolean;
  readonly result?: Json;
  readonly error?: Json;
  readonly images?: readonly { readonly mime: string; readonly base64: string }[];
};
export type Outcome = {
  readonly status: 'succeeded' | 'failed' | 'cancelled';
  readonly reason: string;
  readonly summary?: Json;
};
/** What it returns is the reason of a run that succeeded, or the whole outcome; what it throws ends the run as failed. */
export type Agent = (run: Run) => Promise<string | Outcome | undefined> | string | Outcome | undefined;
export type Said = {
  readonly message_id: string;
  readonly kind: 'steer' | 'follow_up';
  readonly text: string;
};

/** A call was answered with an error; `code` as in the contract, for example `policy.denied`. */
export class Failed extends Error {
  readonly code: string;

  constructor(error: Json = {}) {
    super(`${error['code']}: ${error['message']}`);
    this.code = String(error['code']);
  }
}

/** The run is over: a person stopped it, or the session was lost. */
export class Ended extends Error {}

/** One run, as its agent sees it. */
export class Run {
  readonly id: string;
  readonly agent: string;
  readonly attempt: number;
  readonly tools: readonly Json[];
  readonly instructions: string;
  /** Where it was before a cut: start there. */
  readonly resume: { readonly phase: string; readonly facts: Json } | undefined;
  /** Calls since that phase was entered, the oldest first; `answer` is absent where it does not fit or never came. */
  readonly calls: readonly Json[];
  readonly callsLeftOut: number;
  /** Aborts when the run is over. */
  readonly signal: AbortSignal;
  params: Json = {};
  intent = '';
  text = '';
  /** Messages of people so far; set `onMessage` to hear of new ones. */
  readonly messages: Said[];
  onMessage: (said: Said) => void = () => {};
  readonly #post: (message: Json, droppable?: boolean) => void;
  readonly #abort = new AbortController();
  readonly #waiting = new Map<string, { resolve(answer: Answer): void; reject(error: Error): void }>();
  #phase: string;
  #count = 0;

  constructor(spawn: Message, post: (message: Json, droppable?: boolean) => void) {
    this.#post = post;
    this.id = String(spawn.run);
    this.agent = String(spawn['agent']);
    this.attempt = Number(spawn['attempt']);
    this.tools = (spawn['tools'] ?? []) as readonly Json[];
    this.instructions = String(spawn['instructions'] ?? '');
    this.resume = spawn['resume'] as Run['resume'];
    this.calls = (spawn['calls'] ?? []) as readonly Json[];
    this.callsLeftOut = Number(spawn['calls_left_out'] ?? 0);
    this.messages = [...((spawn['messages'] ?? []) as Said[])];
    this.signal = this.#abort.signal;
    this.#phase = this.resume?.phase ?? 'start';
  }

  /**
   * Calls a tool and gives its result; rejects with `Failed`. Ids are counted: the same steps have the same ids again,
   * so that a run which starts over gets the answers it had. Give ids yourself where calls are made side by side.
   */
  async call(tool: string, args: Json = {}, id = `${this.#phase}-${++this.#count}`): Promise<Json> {
    const answer = await this.ask(tool, args, id);
    if (answer.ok) return answer.result ?? {};
    throw new Failed(answer.error);
  }

  /** As `call`, with the whole answer: images too, and `error` where it is not `ok`. */
  ask(tool: string, args: Json, id: string): Promise<Answer> {
    return this.#ask(`result ${id}`, { type: 'call', call: id, tool, args });
  }

  /** Ends a call; its answer still comes. */
  cancel(id: string): void {
    this.#send({ type: 'cancel', call: id });
  }

  /** Writes an entry into the log of the run; settles when it is durable. */
  async note(id: string, entry: Json): Promise<void> {
    const events = [{ kind: 'session.entry', payload: { entry_id: id, entry } }];
    const answer = await this.#ask(`noted ${id}`, { type: 'events', batch: id, events });
    if (!answer.ok) throw new Failed(answer.error);
  }

  /** Durable: a later attempt finds phase and facts in `resume`. */
  async phase(phase: string, reason: string, facts: Json = {}): Promise<void> {
    const batch = `phase-${phase}-${this.#count}`;
    const events = [{ kind: 'run.phase', payload: { phase, reason, facts } }];
    const answer = await this.#ask(`noted ${batch}`, { type: 'events', batch, events });
    if (!answer.ok) throw new Failed(answer.error);
    this.#phase = phase;
    this.#count = 0;
  }

  /** Text for people who look on; not kept, and dropped where too much waits to be sent. */
  say(text: string, channel: 'text' | 'thought' = 'text'): void {
    this.#send({ type: 'stream', channel, text: text.slice(0, 16_384) }, true);
  }

  /** For `serve`: the run works until its agent returns. */
  async work(agent: Agent): Promise<void> {
    let end: Json;
    try {
      const done = (await agent(this)) ?? 'done';
      end = typeof done === 'string' ? { status: 'succeeded', reason: done } : done;
      end = { ...end, reason: String(end['reason']).slice(0, 512) };
    } catch (error) {
      end = { status: 'failed', reason: String((error as Error).message).slice(0, 512) };
    }
    if (!this.signal.aborted) this.#send({ type: 'finish', ...end });
  }

  /** For `serve`. */
  hear(message: Answer): void {
    const key = message.type === 'result' ? `result ${message['call']}` : `noted ${message['batch']}`;
    this.#waiting.get(key)?.resolve(message);
    this.#waiting.delete(key);
  }

  /** For `serve`. */
  end(): void {
    this.#abort.abort();
    for (const { reject } of this.#waiting.values()) reject(new Ended('the run is over'));
    this.#waiting.clear();
  }

  #ask(key: string, message: Json): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(key, { resolve, reject });
      this.#send(message);
    });
  }

  #send(message: Json, droppable = false): void {
    if (this.signal.aborted) throw new Ended('the run is over');
    this.#post({ ...message, run: this.id }, droppable);
  }
}

/** Numbered messages over one connection after another. */
class Session {
  readonly #agents: Readonly<Record<string, Agent>>;
  readonly #runs = new Map<string, Run>();
  #socket: WebSocket | undefined;
  #id: string | undefined;
  #seq = 0;
  #received = 0;
  #unacked: { readonly seq: number; readonly text: string }[] = [];
  #sent = 0;
  #window = 256;
  #keepMs = 60_000;
  #forget: ReturnType<typeof setTimeout> | undefined;

  constructor(agents: Readonly<Record<string, Agent>>) {
    this.#agents = agents;
  }

  /** One connection to its end; gives its close code. */
  connection(url: string, token: string, about: Json, signal?: AbortSignal): Promise<number> {
    return new Promise((resolve) => {
      const options = { protocols: 'auraison.runtime.v1', headers: { authorization: `Bearer ${token}` } };
      const socket = new WebSocket(new URL('/v1/runtime', url), options as unknown as string);
      let heard = Date.now();
      let beat: ReturnType<typeof setInterval> | undefined;
      const leave = () => socket.close();
      signal?.addEventListener('abort', leave);
      // A server that takes the connection and says nothing is left.
      const late = setTimeout(leave, 10_000);
      socket.onopen = () => {
        const resume =
          this.#id === undefined ? {} : { resume: { session: this.#id, received: this.#received } };
        const agents = Object.keys(this.#agents);
        socket.send(JSON.stringify({ type: 'hello', versions: [1], agents, ...about, ...resume }));
      };
      socket.onmessage = ({ data }) => {
        heard = Date.now();
        const message = JSON.parse(String(data)) as Message;
        if (message.type !== 'welcome') return this.#take(message);
        clearTimeout(late);
        this.#welcome(message, socket);
        const every = Number(message['heartbeat_ms']);
        beat = setInterval(() => {
          if (Date.now() - heard > 3 * every) socket.close();
          else socket.send('{"type":"ping"}');
        }, every);
      };
      socket.onclose = ({ code }) => {
        clearInterval(beat);
        clearTimeout(late);
        signal?.removeEventListener('abort', leave);
        if (this.#socket === socket) {
          this.#socket = undefined;
          // The daemon keeps the session no longer than this.
          this.#forget = setTimeout(() => this.end(), this.#keepMs);
        }
        resolve(code);
      };
      socket.onerror = () => {};
    });
  }

  /** The runs of this session are over for their agents. */
  end(): void {
    clearTimeout(this.#forget);
    for (const run of this.#runs.values()) run.end();
    this.#runs.clear();
    this.#id = undefined;
  }

  #welcome(message: Message, socket: WebSocket): void {
    clearTimeout(this.#forget);
    this.#keepMs = Number(message['keep_ms'] ?? this.#keepMs);
    if (message['resumed'] !== true) {
      this.end();
      this.#seq = 0;
      this.#received = 0;
      this.#unacked = [];
      this.#id = String(message['session']);
    }
    this.#window = (message['limits'] as { window_messages: number }).window_messages;
    this.#socket = socket;
    this.#sent = 0;
    this.#acked(Number(message['received']));
  }

  readonly #post = (message: Json, droppable = false): void => {
    if (droppable && this.#unacked.length >= this.#window) return;
    const seq = ++this.#seq;
    this.#unacked.push({ seq, text: JSON.stringify({ ...message, seq }) });
    this.#flow();
  };

  /** Sends what the window allows; the rest waits for acknowledgements. */
  #flow(): void {
    while (this.#socket && this.#sent < Math.min(this.#unacked.length, this.#window))
      this.#socket.send(this.#unacked[this.#sent++]!.text);
  }

  #acked(received: number): void {
    while (this.#unacked[0] && this.#unacked[0].seq <= received) {
      this.#unacked.shift();
      this.#sent = Math.max(0, this.#sent - 1);
    }
    this.#flow();
  }

  #take(message: Message): void {
    const { type, seq } = message;
    if (type === 'ping') this.#socket?.send('{"type":"pong"}');
    if (type === 'ack') this.#acked(Number(message['received']));
    if (seq === undefined || seq <= this.#received) return;
    this.#received = seq;
    this.#socket?.send(JSON.stringify({ type: 'ack', received: seq }));
    const id = String(message.run);
    if (type === 'spawn') {
      this.#runs.get(id)?.end();
      this.#runs.set(id, new Run(message, this.#post));
      this.#post({ type: 'spawned', run: id });
    }
    const run = this.#runs.get(id);
    if (type === 'invoke' && run) {
      const { intent, text } = message as unknown as {
        intent: { type: string; params: Json };
        text?: string;
      };
      Object.assign(run, { intent: intent.type, params: intent.params, text: text ?? '' });
      void run.work(this.#agents[run.agent] ?? this.#agents['*']!);
    }
    if (type === 'result' || type === 'noted') run?.hear(message);
    if (type === 'channel' && run) {
      const said = message as unknown as Said;
      run.messages.push(said);
      run.onMessage(said);
    }
    if (type === 'destroy') {
      run?.end();
      this.#runs.delete(id);
    }
  }
}

/**
 * Serves until `signal` aborts, or until trying again would not help; then gives the close code. `url` may be a function
 * where the address of the daemon changes.
 */
export async function serve(
  url: string | (() => string),
  token: string,
  agents: Readonly<Record<string, Agent>>,
  about: Json = { runtime: { language: 'typescript' }, capabilities: ['stream', 'messages'] },
  signal?: AbortSignal,
): Promise<number> {
  const session = new Session(agents);
  for (let pause = 1_000; ; pause = Math.min(30_000, pause * 2)) {
    const began = Date.now();
    const address = typeof url === 'string' ? url : url();
    const code = await session.connection(address, token, about, signal);
    if (signal?.aborted || code === 4410 || code === 4426) {
      session.end();
      return code;
    }
    if (Date.now() - began > 30_000) pause = 1_000;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pause / 2);
      signal?.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true });
    });
  }
}
