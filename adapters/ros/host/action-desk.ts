import { pause } from '../../../contract/deadline.ts';
import type { Clock, GoalResult, MessageValue, Timer } from '../../../contract/index.ts';
import type { ApiNews } from '../api-wire.ts';
import { HostFault } from './fault.ts';
import { actionClass } from './interface-types.ts';
import { fromVendor, toVendor } from './values.ts';
import type { ActionClass, ActionClient, Rclnodejs, Node as RosNode, UuidMessage } from './vendor.ts';

const LOOK_MS = 20;
/** An action server that is not seen for this long has vanished with its goals, milliseconds. */
const VANISHED_MS = 2_000;
const WATCH_MS = 250;
/** Clients kept for the next goal. */
const CLIENTS_MAX = 32;

/** Numbers of action_msgs/msg/GoalStatus. */
const ENDED: Readonly<Record<number, GoalResult['status']>> = { 4: 'succeeded', 5: 'canceled', 6: 'aborted' };

type Cached = { readonly client: ActionClient; readonly cls: ActionClass; readonly goals: Set<string> };

/** Goals sent to the action servers of others. */
export class ActionDesk {
  readonly #rcl: Rclnodejs;
  readonly #node: RosNode;
  readonly #clock: Clock;
  readonly #tell: (news: ApiNews) => void;
  readonly #clients = new Map<string, Cached>();
  #watch: Timer | undefined;
  /** When each action server was last seen, by client. */
  readonly #seenAtMs = new Map<Cached, number>();

  constructor(rcl: Rclnodejs, node: RosNode, clock: Clock, tell: (news: ApiNews) => void) {
    this.#rcl = rcl;
    this.#node = node;
    this.#clock = clock;
    this.#tell = tell;
  }

  /** True when the server accepted. Result and feedback are sent as they come. Errors as `RosActions.send`. */
  async send(
    goalId: string,
    name: string,
    type: string,
    goal: MessageValue,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const until = this.#clock.monotonicMs() + timeoutMs;
    const cls = actionClass(this.#rcl, type);
    const message = new cls.Goal(toVendor(this.#rcl, cls.Goal, goal));
    const cached = this.#client(name, type, cls);
    cached.goals.add(goalId);
    try {
      while (!cached.client.isActionServerAvailable()) {
        signal.throwIfAborted();
        if (this.#clock.monotonicMs() >= until) throw nobody(name);
        await pause(this.#clock, LOOK_MS, signal);
      }
      const onFeedback = (value: { [field: string]: unknown }) =>
        this.#tell({ op: 'goalFeedback', goalId, value: fromVendor(this.#rcl, cls.Feedback, value) });
      const sent = cached.client.sendGoal(message, onFeedback, this.#uuid(goalId));
      const handle = await this.#untilMs(sent, until, signal, name, timeoutMs);
      if (!handle.accepted) {
        cached.goals.delete(goalId);
        return false;
      }
      void handle
        .getResult()
        .then((result) => this.#ended(cached, goalId, name, handle.status, result))
        .catch((error: unknown) =>
          this.#lost(cached, goalId, HostFault.from(error, 'wait for the result', name)),
        );
      this.#watchServers();
      return true;
    } catch (error) {
      cached.goals.delete(goalId);
      if (signal.aborted && !(error instanceof HostFault)) throw late(name, timeoutMs);
      throw HostFault.from(error, 'send a goal', name);
    }
  }

  #ended(
    cached: Cached,
    goalId: string,
    name: string,
    status: number,
    value: { [field: string]: unknown },
  ): void {
    if (!cached.goals.delete(goalId)) return;
    const ended = ENDED[status];
    if (!ended) {
      const fault = unreachable(name, 'the action server was restarted and no longer knows the goal');
      this.#tell({ op: 'goalLost', goalId, error: fault.body });
      return;
    }
    const result = fromVendor(this.#rcl, cached.cls.Result, value);
    this.#tell({ op: 'goalResult', goalId, result: { status: ended, result } });
  }

  #lost(cached: Cached, goalId: string, fault: HostFault): void {
    if (cached.goals.delete(goalId)) this.#tell({ op: 'goalLost', goalId, error: fault.body });
  }

  /** A server that dies says nothing: it is missed. */
  #watchServers(): void {
    this.#watch ??= this.#clock.every(WATCH_MS, () => {
      const nowMs = this.#clock.monotonicMs();
      let open = false;
      for (const [key, cached] of this.#clients) {
        if (cached.goals.size === 0) {
          this.#seenAtMs.delete(cached);
          continue;
        }
        open = true;
        if (cached.client.isActionServerAvailable()) this.#seenAtMs.set(cached, nowMs);
        const seenAtMs = this.#seenAtMs.get(cached) ?? nowMs;
        this.#seenAtMs.set(cached, seenAtMs);
        if (nowMs - seenAtMs < VANISHED_MS) continue;
        const name = key.split(' ')[0]!;
        for (const goalId of cached.goals)
          this.#lost(cached, goalId, unreachable(name, 'the action server left the ROS graph'));
      }
      if (open) return;
      this.#watch?.cancel();
      this.#watch = undefined;
    });
  }

  #untilMs<T>(
    work: Promise<T>,
    untilMs: number,
    signal: AbortSignal,
    name: string,
    timeoutMs: number,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = () => reject(late(name, timeoutMs));
      const timer = this.#clock.after(Math.max(0, untilMs - this.#clock.monotonicMs()), end);
      signal.addEventListener('abort', end, { once: true });
      work.then(resolve, reject).finally(() => {
        timer.cancel();
        signal.removeEventListener('abort', end);
      });
    });
  }

  #uuid(goalId: string): UuidMessage {
    const Uuid = this.#rcl.require('unique_identifier_msgs/msg/UUID');
    return new Uuid({ uuid: Uint8Array.from(Buffer.from(goalId, 'hex')) }) as unknown as UuidMessage;
  }

  #client(name: string, type: string, cls: ActionClass): Cached {
    const key = `${name} ${type}`;
    const known = this.#clients.get(key);
    if (known) return known;
    if (this.#clients.size >= CLIENTS_MAX) {
      const idle = [...this.#clients].find(([, { goals }]) => goals.size === 0);
      if (idle) {
        this.#clients.delete(idle[0]);
        idle[1].client.destroy();
      }
    }
    const client = new this.#rcl.ActionClient(this.#node, type, name);
    const cached: Cached = { client, cls, goals: new Set() };
    this.#clients.set(key, cached);
    return cached;
  }
}

function nobody(name: string): HostFault {
  return new HostFault(
    'ros.not_found',
    'send a goal',
    name,
    `no action server offers ${name}`,
    '`auraison ros actions` lists the available actions',
  );
}
function late(name: string, timeoutMs: number): HostFault {
  return new HostFault(
    'deadline.exceeded',
    'send a goal',
    name,
    `the action server did not answer within ${timeoutMs} ms`,
  );
}
function unreachable(name: string, message: string): HostFault {
  return new HostFault('robot.unreachable', 'wait for the result', name, message);
}
