import { pause } from '../../contract/core.ts';
import {
  type CallOptions,
  type Clock,
  EdgeError,
  type GoalHandle,
  type GoalResult,
  type GraphSnapshot,
  type MessageValue,
  type RosActions,
  type RosGraph,
  type RosServices,
  type ServedGoal,
} from '../../contract/index.ts';

type ActionServer = Parameters<RosActions['serve']>[2] & { readonly type: string };
type Running = {
  readonly name: string;
  readonly cancel: AbortController;
  vanish(): void;
};

/** A ROS graph in memory: what one side serves, the other calls. Servers can vanish in the middle of a goal. */
export class MemoryRos {
  readonly #clock: Clock;
  readonly #actions = new Map<string, ActionServer>();
  readonly #services = new Map<string, (request: MessageValue) => Promise<MessageValue>>();
  readonly #goals = new Map<string, Running>();
  #ids = 0;
  /** Cancellations of every goal by the service of an action, by its name. */
  readonly cancelledAll: string[] = [];
  /** The same of one goal. */
  readonly cancelledOne: string[] = [];
  /** Servers of these names are dead and nobody was told: no feedback, result or answer. */
  readonly dead = new Set<string>();
  /** Servers of these names answer no cancellation. */
  readonly deaf = new Set<string>();
  /** Servers of these names live on where nobody sees them, as behind a network that is down. */
  readonly #hidden = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly graph: RosGraph = {
    snapshot: async () => this.#snapshot(),
    watch: (onChange) => {
      onChange(this.#snapshot());
      return { cancel: () => {} };
    },
  };

  readonly services: RosServices = {
    call: async (name, _type, request, options) => {
      const action = /^(.*)\/_action\/cancel_goal$/.exec(name)?.[1];
      if (action !== undefined) return this.#cancelBy(action, request, options);
      const handle = await this.#found(this.#services, name, options);
      return handle(request);
    },
    serve: async (name, _type, handle) => {
      this.#services.set(name, handle);
      return { close: async () => void this.#services.delete(name) };
    },
  };

  readonly actions: RosActions = {
    send: async (name, _type, goal, options) => {
      const server = await this.#found(this.#actions, name, options);
      return this.#begin(name, server, goal, options.onFeedback);
    },
    serve: async (name, type, handlers) => {
      this.#actions.set(name, { type, ...handlers });
      return { close: async () => this.vanish(name) };
    },
  };

  /** The server is gone; whoever waits for a result of it is told. */
  vanish(name: string): void {
    this.#actions.delete(name);
    this.#tellGone(name);
  }

  /** To others the server is gone; it goes on with its goals, and is seen again when told so. */
  hide(name: string): void {
    this.#hidden.add(name);
    this.#tellGone(name);
  }

  show(name: string): void {
    this.#hidden.delete(name);
  }

  #tellGone(name: string): void {
    for (const goal of this.#goals.values()) if (goal.name === name) goal.vanish();
  }

  #begin(
    name: string,
    server: ActionServer,
    goal: MessageValue,
    onFeedback: ((value: MessageValue) => void) | undefined,
  ): GoalHandle {
    const goalId = (++this.#ids).toString(16).padStart(32, '0');
    if (!server.accept(goal)) {
      return {
        goalId,
        result: Promise.resolve({ status: 'rejected', result: {} }),
        cancel: async () => false,
      };
    }
    const told = Promise.withResolvers<GoalResult>();
    told.promise.catch(() => {});
    const cancel = new AbortController();
    const vanish = () =>
      told.reject(new EdgeError('robot.unreachable', { operation: 'goal', subject: name, message: 'gone' }));
    this.#goals.set(goalId, { name, cancel, vanish });
    const served: ServedGoal = {
      goalId,
      goal,
      canceled: cancel.signal,
      feedback: (value) => {
        if (!this.dead.has(name) && !this.#hidden.has(name)) onFeedback?.(value);
      },
    };
    void server.execute(served).then((result) => {
      this.#goals.delete(goalId);
      if (!this.dead.has(name)) told.resolve(result);
    });
    return {
      goalId,
      result: told.promise,
      cancel: async (timeoutMs) => {
        const isDeaf = this.deaf.has(name) || this.#hidden.has(name);
        if (isDeaf) await pause(this.#clock, timeoutMs);
        else cancel.abort('canceled by its client');
        return !isDeaf;
      },
    };
  }

  async #cancelBy(name: string, request: MessageValue, options: CallOptions): Promise<MessageValue> {
    await this.#found(this.#actions, name, options);
    const { goal_id } = request['goal_info'] as { goal_id: { uuid: Uint8Array } };
    const wanted = Buffer.from(goal_id.uuid).toString('hex');
    const every = /^0+$/.test(wanted);
    (every ? this.cancelledAll : this.cancelledOne).push(name);
    if (this.deaf.has(name)) {
      await pause(this.#clock, options.timeoutMs);
      throw new EdgeError('deadline.exceeded', { operation: 'call', subject: name });
    }
    for (const [goalId, goal] of this.#goals) {
      if (goal.name === name && (every || goalId === wanted)) goal.cancel.abort('canceled by its client');
    }
    return { return_code: 0, goals_canceling: [] };
  }

  async #found<T>(among: ReadonlyMap<string, T>, name: string, options: CallOptions): Promise<T> {
    const until = this.#clock.monotonicMs() + options.timeoutMs;
    for (;;) {
      const server = among.get(name);
      if (server && !this.#hidden.has(name)) return server;
      if (this.#clock.monotonicMs() >= until || options.signal?.aborted) {
        throw new EdgeError('ros.not_found', { operation: 'call', subject: name });
      }
      await pause(this.#clock, 20);
    }
  }

  #snapshot(): GraphSnapshot {
    const seen = [...this.#actions].filter(([name]) => !this.#hidden.has(name));
    const actions = seen.map(([name, { type }]) => ({ name, types: [type] }));
    return { nodes: [], topics: [], services: [], actions };
  }
}
