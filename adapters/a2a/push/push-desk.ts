import {
  A2A_PUSH,
  type Clock,
  EdgeError,
  isFinished,
  type PushBody,
  type PushConfig,
  type PushKeep,
  type PushPost,
  type PushStats,
  type RunDetails,
  type Timer,
  wordsOf,
} from '../../../contract/core.ts';
import { configsIn, PushBook, type PushLane } from './push-book.ts';
import { type AskedPush, checkReceiver, pushConfigOf, pushHeaders } from './push-config.ts';

export type BodyOf = (details: RunDetails, version: PushConfig['version']) => PushBody;

export type PushPorts = {
  readonly clock: Clock;
  /** Origins to which it may send. */
  readonly origins: readonly string[];
  readonly post: PushPost;
  readonly keep: PushKeep;
  /** Undefined: that run is gone. */
  run(id: string): RunDetails | undefined;
  /** Loads what writes bodies, at the first config. */
  bodies(): Promise<BodyOf>;
  report(level: 'warn' | 'info', message: string, facts: Readonly<Record<string, unknown>>): void;
};

/** For which task a config is set, in whose name, and whether that is an operator of this robot. */
export type PushTask = Pick<PushConfig, 'taskId' | 'version' | 'owner'> & { readonly isOperator: boolean };

/**
 * Posts the states of tasks to the receivers that their clients named. Each config has its own row and its own tries, so
 * a receiver that is slow or gone holds up no other. The last state of a task is read from its run when it is sent: with
 * the kept configs it survives the end of this process, and may then come twice.
 */
export class PushDesk {
  readonly #ports: PushPorts;
  readonly #book = new PushBook();
  #bodyOf: BodyOf | undefined;
  #timer: Timer | undefined;
  #unkept = false;
  #closed = false;
  #delivered = 0;
  #failed = 0;
  #expired = 0;

  constructor(ports: PushPorts) {
    this.#ports = ports;
  }

  /** Continues with what an earlier life of this cell kept. Never rejects. */
  async start(): Promise<void> {
    const { keep, origins, report } = this.#ports;
    try {
      for (const config of configsIn((await keep.read()) ?? '{"version":1,"configs":[]}')) {
        try {
          checkReceiver(config.url, origins);
          this.#book.put(config);
        } catch (thrown) {
          report('warn', 'a kept push notification is left out', { error: wordsOf(thrown) });
        }
      }
      if (this.#book.all().length > 0) await this.#watch();
    } catch (thrown) {
      report('warn', 'kept push notifications cannot be read', { error: wordsOf(thrown) });
    }
  }

  /** Ends all tries; what was not delivered is tried again after the next start. */
  stop(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const { trying } of this.#book.all()) trying?.abort();
  }

  /** Whether this could be set now, before its task is opened. Throws as `set` rejects. */
  check(asked: AskedPush, task: PushTask): void {
    this.#configOf(asked, task);
  }

  /** Durable when it resolves. Rejects with `schema.invalid`, `policy.denied`, `quota.exceeded` or what `keep` throws. */
  async set(asked: AskedPush, task: PushTask): Promise<PushConfig> {
    await this.#open();
    const config = this.#configOf(asked, task);
    const former = this.#book.find(config.taskId, config.id);
    const lane = this.#book.put(config);
    try {
      this.#ports.keep.write(this.#book.text());
    } catch (thrown) {
      this.#book.remove(config);
      if (former) this.#book.put(former.config);
      throw thrown;
    }
    const details = this.#ports.run(config.taskId);
    // The answer shows the state as it is. Only the last one is sent again.
    if (details && !isFinished(details.run.status)) lane.shown = shownOf(details);
    await this.#watch();
    return config;
  }

  get(taskId: string, id: string): PushConfig | undefined {
    return this.#book.find(taskId, id === '' ? taskId : id)?.config;
  }

  list(taskId: string): PushConfig[] {
    return this.#book.of(taskId).map(({ config }) => config);
  }

  /** Durable when it returns; from then on nothing is sent for it. */
  remove(taskId: string, id: string): void {
    this.#book.remove({ taskId, id: id === '' ? taskId : id });
    this.#ports.keep.write(this.#book.text());
  }

  stats(): PushStats {
    const open = this.#book.all().filter(({ last }) => last !== 'done');
    const waits = open.map(({ waiting, last }) => waiting.length + (last === 'waits' ? 1 : 0));
    return {
      configs: open.length,
      waiting: waits.reduce((sum, one) => sum + one, 0),
      ...{ delivered: this.#delivered, failed: this.#failed, dropped: this.#book.dropped },
      expired: this.#expired,
    };
  }

  #configOf(asked: AskedPush, { isOperator, ...task }: PushTask): PushConfig {
    const config = pushConfigOf(asked, task, this.#ports.origins);
    this.#book.room(config, isOperator);
    return config;
  }

  async #open(): Promise<void> {
    this.#bodyOf ??= await this.#ports.bodies();
  }

  async #watch(): Promise<void> {
    await this.#open();
    if (this.#closed) return;
    this.#timer ??= this.#ports.clock.every(A2A_PUSH.LOOK_MS, () => this.#look());
    this.#look();
  }

  #look(): void {
    const now = this.#ports.clock.monotonicMs();
    for (const lane of this.#book.all()) {
      try {
        this.#lookAt(lane, now);
      } catch (thrown) {
        const facts = { task: lane.config.taskId, error: wordsOf(thrown) };
        this.#ports.report('warn', 'a push notification is left out', facts);
        this.#forget(lane);
      }
    }
    this.#keep();
    if (this.#book.all().length > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #lookAt(lane: PushLane, now: number): void {
    if (lane.last === 'done') {
      if (now - lane.doneMs >= A2A_PUSH.DONE_MS) this.#book.remove(lane.config);
      return;
    }
    const details = this.#ports.run(lane.config.taskId);
    if (!details) {
      this.#forget(lane);
      return;
    }
    this.#see(lane, details, now);
    const waits = lane.waiting.length > 0 || lane.last === 'waits';
    if (!waits || lane.trying || lane.dueMs > now) return;
    const [state] = lane.waiting;
    void this.#try(lane, state, state ?? this.#bodyOf!(details, lane.config.version));
  }

  #forget(lane: PushLane): void {
    this.#book.remove(lane.config);
    this.#unkept = true;
  }

  #see(lane: PushLane, details: RunDetails, now: number): void {
    const shown = shownOf(details);
    if (shown === lane.shown) return;
    lane.shown = shown;
    if (!isFinished(details.run.status)) {
      this.#book.offer(lane, this.#bodyOf!(details, lane.config.version));
      return;
    }
    lane.last = 'waits';
    // What is last is tried at once, however long the receiver was silent.
    lane.dueMs = now;
    if (lane.fails > 0) this.#book.keepNewest(lane);
  }

  /** `state` undefined: the last one. Never rejects. */
  async #try(lane: PushLane, state: PushBody | undefined, { type, text }: PushBody): Promise<void> {
    const { clock, post } = this.#ports;
    const { config } = lane;
    const trying = new AbortController();
    lane.trying = trying;
    lane.sinceMs ??= clock.monotonicMs();
    let why = '';
    try {
      const headers = { ...pushHeaders(config), 'content-type': type };
      const status = await post({ url: config.url, headers, body: text, signal: trying.signal });
      if (status < 200 || status > 299) why = `it answered ${status}`;
    } catch (thrown) {
      why = wordsOf(thrown);
    }
    lane.trying = undefined;
    if (this.#closed || !this.#book.has(lane)) return;
    if (why === '') {
      this.#delivered += 1;
      lane.fails = 0;
      this.#over(lane, state);
    } else this.#fault(lane, state, why);
    if (this.#timer) this.#look();
  }

  #fault(lane: PushLane, state: PushBody | undefined, why: string): void {
    const now = this.#ports.clock.monotonicMs();
    this.#failed += 1;
    lane.fails += 1;
    lane.dueMs = now + backoffMs(lane.fails);
    const since = lane.sinceMs ?? now;
    if (state) {
      this.#book.keepNewest(lane);
      if (!lane.waiting.includes(state)) {
        lane.sinceMs = undefined;
        // The last state was not tried yet.
        if (lane.last === 'waits' && lane.waiting.length === 0) lane.dueMs = now + A2A_PUSH.BACKOFF_MS;
        return;
      }
    }
    if (now - since < A2A_PUSH.DEADLINE_MS) return;
    this.#expired += 1;
    const { taskId, url } = lane.config;
    const facts = { task: taskId, receiver: new URL(url).origin, tries: lane.fails, why };
    this.#ports.report('warn', 'a push notification was not taken by its deadline', facts);
    this.#over(lane, state);
  }

  /** What stood in front is over, delivered or not. */
  #over(lane: PushLane, state: PushBody | undefined): void {
    lane.sinceMs = undefined;
    if (state) {
      this.#book.taken(lane, state);
      return;
    }
    lane.last = 'done';
    lane.doneMs = this.#ports.clock.monotonicMs();
    this.#unkept = true;
  }

  /** Configs that are over are forgotten; if that fails, their last state comes once more after a restart. */
  #keep(): void {
    if (!this.#unkept) return;
    this.#unkept = false;
    try {
      this.#ports.keep.write(this.#book.text());
    } catch (thrown) {
      const { message } = EdgeError.from(thrown, 'internal.fault', 'keep push notifications', 'configs');
      this.#ports.report('warn', 'push notifications cannot be kept', { error: message });
    }
  }
}

function backoffMs(fails: number): number {
  return Math.min(A2A_PUSH.BACKOFF_MS * 2 ** Math.min(fails - 1, 16), A2A_PUSH.BACKOFF_MAX_MS);
}

/** What clients of a run see of it: a change of this is a new state. */
export function shownOf({ run, reason, phase }: RunDetails): string {
  return JSON.stringify([run.status, reason, phase]);
}
