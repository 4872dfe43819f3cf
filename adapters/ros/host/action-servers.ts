import type { GoalResult, MessageValue } from '../../../contract/index.ts';
import type { ApiNews } from '../api-wire.ts';
import { actionClass } from './interface-types.ts';
import { fromVendor, toVendor } from './values.ts';
import type {
  ActionClass,
  ActionServer,
  Message,
  Rclnodejs,
  Node as RosNode,
  ServerGoal,
  UuidMessage,
} from './vendor.ts';

/** Numbers of rclnodejs for accepting and rejecting goals and cancel requests. */
const REJECT = 1;
const ACCEPT = 2;
/** Goals of one server that wait or run; above it new ones are rejected. */
const GOALS_MAX = 64;

type Goal = { handle?: ServerGoal; readonly result: PromiseWithResolvers<GoalResult> };
type Served = {
  readonly server: ActionServer;
  readonly cls: ActionClass;
  readonly goals: Map<string, Goal>;
  /** Asked about, not yet answered: how the goal request continues. */
  readonly asked: Map<string, (accepted: boolean) => void>;
};

/** Action servers of this daemon: rclnodejs decides at once, we ask the adapter first. */
export class ActionServers {
  readonly #rcl: Rclnodejs;
  readonly #node: RosNode;
  readonly #tell: (news: ApiNews) => void;
  readonly #served = new Map<number, Served>();

  constructor(rcl: Rclnodejs, node: RosNode, tell: (news: ApiNews) => void) {
    this.#rcl = rcl;
    this.#node = node;
    this.#tell = tell;
  }

  serve(number: number, name: string, type: string): void {
    const cls = actionClass(this.#rcl, type);
    this.unserve(number);
    let verdict = REJECT;
    const goals = new Map<string, Goal>();
    const asked = new Map<string, (accepted: boolean) => void>();
    const server = new this.#rcl.ActionServer(
      this.#node,
      type,
      name,
      (handle) => this.#execute(number, cls, goals, handle),
      () => verdict,
      (handle) => handle.execute(),
      (handle) => {
        const goalId = hex(handle.goalId);
        if (goals.has(goalId)) this.#tell({ op: 'cancelled', server: number, goalId });
        return ACCEPT;
      },
    );
    // rclnodejs wants the verdict of a goal synchronously; it comes from another process. So the request waits
    // here, and goes its usual way when the verdict is known.
    const decide = server.processGoalRequest.bind(server);
    server.processGoalRequest = (header, request) => {
      const goalId = hex(request.goal_id);
      const proceed = (accepted: boolean) => {
        verdict = accepted ? ACCEPT : REJECT;
        decide(header, request);
      };
      if (goals.size + asked.size >= GOALS_MAX) return proceed(false);
      asked.set(goalId, proceed);
      const value = fromVendor(this.#rcl, cls.Goal, request.goal.toPlainObject(true));
      this.#tell({ op: 'goal', server: number, goalId, value });
    };
    this.#served.set(number, { server, cls, goals, asked });
  }

  unserve(number: number): boolean {
    const served = this.#served.get(number);
    if (!served) return false;
    this.#served.delete(number);
    for (const goal of served.goals.values()) goal.result.resolve({ status: 'aborted', result: {} });
    // What was aborted answers its clients before the server goes.
    setImmediate(() => served.server.destroy());
    return true;
  }

  accept(number: number, goalId: string, accepted: boolean): void {
    const served = this.#served.get(number);
    const proceed = served?.asked.get(goalId);
    served?.asked.delete(goalId);
    proceed?.(accepted);
  }

  /** Throws `schema.invalid`. */
  feedback(number: number, goalId: string, value: MessageValue): void {
    const served = this.#served.get(number);
    const handle = served?.goals.get(goalId)?.handle;
    if (!served || !handle) return;
    handle.publishFeedback(new served.cls.Feedback(toVendor(this.#rcl, served.cls.Feedback, value)));
  }

  finish(number: number, goalId: string, result: GoalResult): void {
    this.#served.get(number)?.goals.get(goalId)?.result.resolve(result);
  }

  async #execute(
    number: number,
    cls: ActionClass,
    goals: Map<string, Goal>,
    handle: ServerGoal,
  ): Promise<Message> {
    const goalId = hex(handle.goalId);
    const goal: Goal = { handle, result: Promise.withResolvers<GoalResult>() };
    goals.set(goalId, goal);
    this.#tell({ op: 'execute', server: number, goalId });
    try {
      const { status, result } = await goal.result.promise;
      const message = new cls.Result(toVendor(this.#rcl, cls.Result, result));
      this.#settle(handle, status);
      return message;
    } finally {
      goals.delete(goalId);
    }
  }

  /** A goal without a cancel request cannot end as canceled in ROS: then it was aborted. */
  #settle(handle: ServerGoal, status: GoalResult['status']): void {
    if (!handle.isActive) return;
    try {
      if (status === 'succeeded') handle.succeed();
      else if (status === 'canceled') handle.canceled();
      else handle.abort();
    } catch {
      handle.abort();
    }
  }
}

function hex(id: UuidMessage): string {
  return Buffer.from(id.uuid).toString('hex');
}
