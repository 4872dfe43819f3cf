import { A2A_PUSH, EdgeError, type PushBody, type PushConfig } from '../../../contract/core.ts';

/** One config and what waits for its receiver. The last state of a task does not wait here: it is read when it is sent. */
export type PushLane = {
  readonly config: PushConfig;
  /** The state that was last seen; undefined: none in this life of the cell. */
  shown: string | undefined;
  /** Oldest first. */
  waiting: PushBody[];
  last: 'to come' | 'waits' | 'done';
  doneMs: number;
  /** Aborts the try that runs now; undefined: no try runs. */
  trying: AbortController | undefined;
  fails: number;
  /** First try of what stands in front, and not before when it is tried next: milliseconds of the clock. */
  sinceMs: number | undefined;
  dueMs: number;
};

/**
 * Configs by task and what waits for them, within bounds. Where there are too many states, older ones are left out and
 * the last one of a task never is. Pure: the caller brings the time and keeps `text`.
 */
export class PushBook {
  readonly #lanes = new Map<string, PushLane>();
  #bytes = 0;
  /** States that were left out. */
  dropped = 0;

  /** Throws `quota.exceeded` where there is no place; configs that are done make room. */
  room(config: PushConfig, isOperator: boolean): void {
    if (this.#lanes.has(keyOf(config))) return;
    const open = this.all().filter(({ last }) => last !== 'done');
    const { taskId, owner } = config;
    const ofTask = this.of(taskId).length;
    const ofOne = open.filter(({ config: one }) => sameOwner(one.owner, owner)).length;
    const most = A2A_PUSH.CONFIGS_MAX - (isOperator ? 0 : A2A_PUSH.CONFIGS_KEPT);
    if (ofTask >= A2A_PUSH.OF_TASK_MAX) throw full(`a task has ${ofTask} at most: delete one of them`);
    if (ofOne >= A2A_PUSH.OF_ONE_MAX) throw full(`${ofOne} of this principal are open already`);
    if (open.length >= most) throw full(`${open.length} are open already`);
  }

  /** In the place of one with the same task and id. */
  put(config: PushConfig): PushLane {
    this.remove(config);
    const done = this.all().filter(({ last }) => last === 'done');
    if (this.#lanes.size >= A2A_PUSH.CONFIGS_MAX && done[0]) this.remove(done[0].config);
    const lane: PushLane = {
      ...{ config, shown: undefined, waiting: [], last: 'to come', doneMs: 0 },
      ...{ trying: undefined, fails: 0, sinceMs: undefined, dueMs: Number.NEGATIVE_INFINITY },
    };
    this.#lanes.set(keyOf(config), lane);
    return lane;
  }

  find(taskId: string, id: string): PushLane | undefined {
    return this.#lanes.get(keyOf({ taskId, id }));
  }

  of(taskId: string): PushLane[] {
    return this.all().filter(({ config }) => config.taskId === taskId);
  }

  all(): PushLane[] {
    return [...this.#lanes.values()];
  }

  has(lane: PushLane): boolean {
    return this.#lanes.get(keyOf(lane.config)) === lane;
  }

  remove({ taskId, id }: Pick<PushConfig, 'taskId' | 'id'>): void {
    const lane = this.find(taskId, id);
    if (!lane) return;
    for (const body of lane.waiting) this.#bytes -= bytesOf(body);
    lane.waiting = [];
    lane.trying?.abort();
    this.#lanes.delete(keyOf({ taskId, id }));
  }

  /** A state that is not the last one. The receiver with most bytes pays for what is too much. */
  offer(lane: PushLane, body: PushBody): void {
    lane.waiting.push(body);
    this.#bytes += bytesOf(body);
    if (lane.waiting.length > A2A_PUSH.WAITING_MAX) this.#drop(lane);
    while (this.#bytes > A2A_PUSH.WAITING_BYTES_MAX) {
      const [most] = this.all().toSorted((a, b) => sizeOf(b) - sizeOf(a));
      this.#drop(most!);
    }
  }

  /** This state was taken, or its deadline passed. */
  taken(lane: PushLane, body: PushBody): void {
    const at = lane.waiting.indexOf(body);
    if (at < 0) return;
    lane.waiting.splice(at, 1);
    this.#bytes -= bytesOf(body);
  }

  /** A receiver that does not answer gets the newest state next. */
  keepNewest(lane: PushLane): void {
    const most = lane.last === 'waits' ? 0 : 1;
    while (lane.waiting.length > most) this.#drop(lane);
  }

  /** All that has to survive a restart. */
  text(): string {
    const open = this.all().filter(({ last }) => last !== 'done');
    return JSON.stringify({ version: 1, configs: open.map(({ config }) => config) });
  }

  #drop(lane: PushLane): void {
    const [oldest] = lane.waiting;
    if (!oldest) return;
    this.taken(lane, oldest);
    this.dropped += 1;
  }
}

/** The configs of a text of `PushBook`. Throws for another text. Pure. */
export function configsIn(text: string): PushConfig[] {
  const { version, configs } = JSON.parse(text) as { version?: unknown; configs?: unknown };
  if (version !== 1 || !Array.isArray(configs)) throw new Error('version 1 with configs expected');
  return configs.filter(isConfig).slice(0, A2A_PUSH.CONFIGS_MAX);
}

function isConfig(row: unknown): row is PushConfig {
  const { owner, ...fields } = (row ?? {}) as Record<string, unknown>;
  const texts = ['taskId', 'id', 'url', 'token', 'scheme', 'credentials', 'version'];
  const { tenant, principal } = (owner ?? {}) as Record<string, unknown>;
  return [...texts.map((name) => fields[name]), tenant, principal].every((one) => typeof one === 'string');
}

export function sameOwner(one: PushConfig['owner'], other: PushConfig['owner']): boolean {
  return one.tenant === other.tenant && one.principal === other.principal;
}

function keyOf({ taskId, id }: Pick<PushConfig, 'taskId' | 'id'>): string {
  return JSON.stringify([taskId, id]);
}

function bytesOf({ text }: PushBody): number {
  return Buffer.byteLength(text);
}

function sizeOf({ waiting }: PushLane): number {
  return waiting.reduce((sum, body) => sum + bytesOf(body), 0);
}

function full(words: string): EdgeError {
  return new EdgeError('quota.exceeded', {
    operation: 'set push notifications',
    subject: 'pushNotificationConfig',
    message: `no place for another config: ${words}`,
  });
}
