/** Events of one run as a person reads them: what was said, done and decided, each with its reason. Pure. */

/** An event, as far as it is read here. */
export type RunEvent = {
  readonly kind: string;
  readonly ts: string;
  readonly payload: Readonly<Record<string, unknown>>;
};
export type ImageRef = { readonly mime: string; readonly sha256: string };

export type Item = { readonly key: string; readonly ts: string } & (
  | { readonly kind: 'said'; readonly by: string; readonly text: string; readonly toAgent: boolean }
  | {
      readonly kind: 'tool';
      readonly tool: string;
      readonly args: string;
      /** Absent: it still runs. */
      readonly ok?: boolean;
      readonly result?: string;
      readonly durationMs?: number;
      readonly images: readonly ImageRef[];
    }
  /** `why`: the reason; `look`: `ok`, `bad` or nothing. */
  | { readonly kind: 'fact'; readonly what: string; readonly why: string; readonly look: string }
);

export type Story = {
  readonly items: readonly Item[];
  readonly model?: string;
  /** Tokens in and out of the last answer: what the next one starts from. */
  readonly contextUsed?: number;
  /** Sum over answers whose model has a price, US dollars. */
  readonly costUsd?: number;
};

type Fields = Readonly<Record<string, unknown>>;
const textOf = (value: unknown) => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown) => (typeof value === 'number' ? value : 0);
const LINE_MAX = 600;

/** JSON in one line, cut. */
function oneLine(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length <= LINE_MAX ? line : `${line.slice(0, LINE_MAX - 1)}…`;
}

/** Folds events, oldest first, each once. */
export class StoryBook {
  #items: Item[] = [];
  #tools = new Map<string, number>();
  #facts: Omit<Story, 'items'> = {};
  #count = 0;
  /** A new object after each change. */
  story: Story = { items: [] };

  take(events: readonly RunEvent[]): Story {
    for (const event of events) this.#one(event);
    if (events.length > 0) this.story = { ...this.#facts, items: [...this.#items] };
    return this.story;
  }

  #add(event: RunEvent, item: DistributiveOmit<Item, 'key' | 'ts'>): void {
    this.#items.push({ key: `${this.#count++}`, ts: event.ts, ...item } as Item);
  }

  #fact(event: RunEvent, what: string, why = '', look = ''): void {
    this.#add(event, { kind: 'fact', what, why, look });
  }

  #one(event: RunEvent) {
    const { payload } = event;
    const field = (name: string) => textOf(payload[name]);
    switch (event.kind) {
      case 'session.entry':
        return this.#entry(event, payload['entry'] as Fields);
      case 'run.message':
        return this.#message(event);
      case 'tool.called':
        this.#tools.set(field('call_id'), this.#items.length);
        return this.#add(event, {
          ...{ kind: 'tool', tool: field('tool'), args: oneLine(payload['args']), images: [] },
        });
      case 'tool.returned':
        return this.#returned(payload);
      case 'run.phase':
        return this.#fact(event, `phase ${field('phase')}`, field('reason'));
      case 'run.status':
        return this.#fact(event, by(field('status'), payload['by']), field('reason'));
      case 'policy.decided': {
        const decision = field('decision');
        // What is allowed as usual is no news.
        if (decision === 'allow') return;
        const what = `${decision === 'deny' ? 'denied' : 'needs approval'}: ${field('point')} ${field('subject')}`;
        return this.#fact(event, what, field('reason'), decision === 'deny' ? 'bad' : '');
      }
      case 'approval.requested':
        return this.#fact(event, `waits for approval of ${field('subject')}`, field('reason'));
      case 'approval.answered':
        return this.#fact(event, by(`approval: ${field('decision')}`, payload['by']), field('reason'));
      case 'question.asked':
        return this.#fact(event, `asks: ${field('text')}`);
      case 'question.answered':
        return this.#fact(event, by(`answer: ${field('answer')}`, payload['by']));
      case 'safety.stopped':
      case 'command.refused':
        return this.#fact(
          event,
          event.kind.replace('.', ' '),
          field('reason') || oneLine(payload['error']),
          'bad',
        );
      case 'model.returned':
        return this.#model(event);
      case 'run.finished': {
        const status = field('status');
        const look = status === 'succeeded' ? 'ok' : status === 'failed' ? 'bad' : '';
        return this.#fact(event, by(status, payload['by']), field('reason'), look);
      }
      default:
    }
  }

  /** Words of the agent. */
  #entry(event: RunEvent, { type, message }: Fields): void {
    const { role, content } = (message ?? {}) as Fields;
    if (type !== 'message' || role !== 'assistant') return;
    const parts = Array.isArray(content) ? (content as Fields[]) : [{ type: 'text', text: content }];
    const text = parts.map((part) => (part['type'] === 'text' ? textOf(part['text']) : '')).join('');
    if (text !== '') this.#add(event, { kind: 'said', by: 'agent', text, toAgent: false });
  }

  #message(event: RunEvent) {
    const { kind, body, principal } = event.payload;
    const { text, model, level } = (body ?? {}) as Fields;
    const isWords = (kind === 'steer' || kind === 'follow_up') && typeof text === 'string';
    if (isWords) return this.#add(event, { kind: 'said', by: textOf(principal), text, toAgent: true });
    this.#fact(event, `${textOf(principal)}: ${[kind, model ?? level ?? ''].join(' ').trim()}`);
  }

  #returned(payload: Fields): void {
    const at = this.#tools.get(textOf(payload['call_id']));
    const called = at === undefined ? undefined : this.#items[at];
    if (at === undefined || called?.kind !== 'tool') return;
    const error = payload['error'] as { code?: string; message?: string } | undefined;
    const ok = payload['ok'] === true;
    this.#items[at] = {
      ...called,
      ok,
      result: ok ? oneLine(payload['result']) : `${error?.code ?? 'failed'}: ${error?.message ?? ''}`,
      durationMs: numberOf(payload['duration_ms']),
      images: (payload['images'] as ImageRef[] | undefined) ?? [],
    };
  }

  #model(event: RunEvent): void {
    const { ok, error, model, tokens_in, tokens_out, cost_usd } = event.payload;
    if (typeof model === 'string') this.#facts = { ...this.#facts, model };
    if (ok === true)
      this.#facts = { ...this.#facts, contextUsed: numberOf(tokens_in) + numberOf(tokens_out) };
    else
      this.#fact(
        event,
        `model ${textOf(model)} gave no answer`,
        textOf((error as Fields)?.['message']),
        'bad',
      );
    if (typeof cost_usd === 'number')
      this.#facts = { ...this.#facts, costUsd: (this.#facts.costUsd ?? 0) + cost_usd };
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function by(what: string, who: unknown): string {
  const name = typeof who === 'string' ? who : textOf((who as Fields | undefined)?.['principal']);
  return name === '' ? what : `${what} by ${name}`;
}

/** Text of an answer that is still being written, without what the events have whole by now. */
export function withoutSaid(live: string, said: readonly string[]): string {
  let left = live;
  for (const text of said) left = left.startsWith(text) ? left.slice(text.length) : '';
  return left;
}
