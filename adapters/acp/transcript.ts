import { ACP_LIMITS, type Clock, type Timer } from '../../contract/core.ts';
import type { HostedRun } from './hosted-run.ts';

type Json = Readonly<Record<string, unknown>>;
type Channel = 'text' | 'thought';

/** Tool calls of the agent whose title is remembered until they end. */
const CALLS_MAX = 256;
const PLAN_MAX = 64;

/**
 * What an agent reports while it works: text goes to people who look on; messages, plans and calls of its own tools go into
 * the log of the run. Everything is bounded; what does not fit is counted in `leftOut`.
 */
export class Transcript {
  readonly #run: Pick<HostedRun, 'note' | 'say'>;
  readonly #clock: Clock;
  readonly #life: string;
  /** Tools that the daemon logs itself. */
  readonly #isOwn: (title: string) => boolean;
  readonly #waiting: Json[] = [];
  readonly #calls = new Map<string, Json>();
  readonly #stream: Record<Channel, string> = { text: '', thought: '' };
  #message = '';
  #said = '';
  #plan = '';
  #count = 0;
  #writing: Promise<void> | undefined;
  #timer: Timer | undefined;
  leftOut = 0;

  constructor(
    run: Pick<HostedRun, 'note' | 'say'>,
    clock: Clock,
    life: string,
    isOwn: (title: string) => boolean,
  ) {
    this.#run = run;
    this.#clock = clock;
    this.#life = life;
    this.#isOwn = isOwn;
  }

  /** The last message of the agent, for the reason of the run. */
  get said(): string {
    return this.#message.trim() || this.#said;
  }

  /** Takes one update of the agent, of any form; what is not known is ignored. */
  take(given: unknown): void {
    const update = record(given);
    const { sessionUpdate: kind, content, entries } = update;
    if (kind === 'agent_message_chunk') this.#onText('text', record(content));
    else if (kind === 'agent_thought_chunk') this.#onText('thought', record(content));
    else if (kind === 'plan' && Array.isArray(entries)) this.#onPlan(entries);
    else if (kind === 'tool_call' || kind === 'tool_call_update') this.#onCall(update);
  }

  /** What the agent reported of a tool call that has not ended: `title`, `kind`, `input` and `server`, as far as it did. */
  call(id: string): Json {
    return this.#calls.get(id) ?? {};
  }

  /** A turn is over: its message is whole. */
  endTurn(): void {
    this.#flush();
    this.#endMessage();
  }

  /** Settles when what was noted is durable or refused; never rejects. */
  async written(): Promise<void> {
    await this.#writing;
  }

  #onText(channel: Channel, { type, text }: Json): void {
    if (type !== 'text' || typeof text !== 'string') return;
    const { SAID_CHARS_MAX, STREAM_MS } = ACP_LIMITS;
    this.#stream[channel] = (this.#stream[channel] + text).slice(-SAID_CHARS_MAX);
    if (channel === 'text') this.#message = (this.#message + text).slice(-SAID_CHARS_MAX);
    this.#timer ??= this.#clock.after(STREAM_MS, () => this.#flush());
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const channel of ['text', 'thought'] as const) {
      const text = this.#stream[channel];
      this.#stream[channel] = '';
      try {
        if (text !== '') this.#run.say(text.toWellFormed(), channel);
      } catch {
        // The run is over.
      }
    }
  }

  #endMessage(): void {
    const text = this.#message.trim().toWellFormed();
    this.#message = '';
    if (text === '') return;
    this.#said = text;
    this.#note({ type: 'message', role: 'assistant', text });
  }

  #onPlan(entries: readonly unknown[]): void {
    const plan = entries
      .slice(0, PLAN_MAX)
      .map(record)
      .filter(({ content }) => typeof content === 'string')
      .map(({ content, status }) => ({ content: shown(String(content)), status: shown(String(status)) }));
    if (plan.length === 0) return;
    const text = JSON.stringify(plan);
    if (text === this.#plan) return;
    this.#plan = text;
    this.#note({ type: 'plan', entries: plan });
  }

  #onCall(update: Json): void {
    const { toolCallId, title, kind, status, rawInput } = update;
    if (typeof toolCallId !== 'string') return;
    const id = toolCallId.slice(0, 128);
    const known = this.#calls.get(id);
    if (!known && this.#calls.size >= CALLS_MAX) this.#calls.delete(this.#calls.keys().next().value!);
    const call: Record<string, unknown> = { ...known };
    if (typeof title === 'string') call['title'] = shown(title);
    if (typeof kind === 'string') call['kind'] = shown(kind);
    if (rawInput !== undefined && rawInput !== null) call['input'] = shown(JSON.stringify(rawInput) ?? '');
    const { server } = record(rawInput);
    if (typeof server === 'string') call['server'] = shown(server);
    this.#calls.set(id, call);
    if (status !== 'completed' && status !== 'failed') return;
    this.#calls.delete(id);
    if (this.#isOwn(String(call['title'] ?? ''))) return;
    this.#endMessage();
    this.#note({ type: 'agent_tool', id, ...call, status });
  }

  #note(entry: Json): void {
    if (this.#waiting.length >= ACP_LIMITS.NOTES_WAITING_MAX || this.#count >= ACP_LIMITS.NOTES_MAX) {
      this.leftOut++;
      return;
    }
    this.#count++;
    this.#waiting.push(entry);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    let written = this.#count - this.#waiting.length;
    for (let entry = this.#waiting.shift(); entry; entry = this.#waiting.shift())
      await this.#run.note(`${this.#life}-e${++written}`, entry).catch(() => {
        this.leftOut++;
      });
  }
}

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

/** One more than the limit, so that a person who is asked to permit it sees that it is not whole. */
function shown(text: string): string {
  return text.slice(0, ACP_LIMITS.SHOWN_CHARS + 1).toWellFormed();
}
