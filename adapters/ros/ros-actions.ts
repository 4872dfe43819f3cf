import { randomUUID } from 'node:crypto';
import {
  type CallOptions,
  type Clock,
  EdgeError,
  type GoalHandle,
  type GoalResult,
  type MessageValue,
  type RosActions,
  type ServedGoal,
  withDeadline,
} from '../../contract/core.ts';
import type { ApiLink } from './api-link.ts';
import type { ApiNews } from './api-wire.ts';
import type { HostProcess } from './host-process.ts';
import { ROS_LIMITS } from './options.ts';

/** Goals that are to be cancelled when a host is there again. */
const ORPHANS_MAX = 1_024;
/**
 * A goal without a client whose server is not seen is cancelled when it is seen again: so often a call waits
 * for it, of `ROS_LIMITS.REQUEST_MS` each, ten minutes.
 */
const DISOWN_CALLS_MAX = 120;

type Handlers = {
  accept(goal: MessageValue): boolean;
  execute(goal: ServedGoal): Promise<GoalResult>;
};
type SentGoal = {
  readonly name: string;
  readonly outcome: PromiseWithResolvers<GoalResult>;
  readonly onFeedback: ((value: MessageValue) => void) | undefined;
};
type OwnGoal = {
  readonly goal: MessageValue;
  readonly cancel: AbortController;
  /** Its client waits there. */
  readonly host: HostProcess;
};
type Served = {
  readonly name: string;
  readonly type: string;
  readonly handlers: Handlers;
  readonly goals: Map<string, OwnGoal>;
  /** `serve` asks for it itself, also from a host that comes meanwhile: asked twice, that would abort its goals. */
  isAsked: boolean;
};

/**
 * Actions over the ROS host. What is served comes back with every new host. The goals of a host that died are
 * reported, both ways: goals of clients here are aborted, goals sent by us reject and are cancelled through the next
 * host, since no client watches over them.
 */
export class HostActions implements RosActions {
  readonly #link: ApiLink;
  readonly #clock: Clock;
  readonly #report: (level: 'warn' | 'error', message: string) => void;
  readonly #number: () => number;
  readonly #sent = new Map<string, SentGoal>();
  readonly #orphans = new Map<string, string>();
  readonly #served = new Map<number, Served>();

  constructor(
    link: ApiLink,
    clock: Clock,
    report: (level: 'warn' | 'error', message: string) => void,
    number: () => number,
  ) {
    this.#link = link;
    this.#clock = clock;
    this.#report = report;
    this.#number = number;
    link.listen({
      onHost: (host) => this.#restore(host),
      onHostGone: (host, reason, attached) => {
        if (attached) this.#loseSent(reason);
        this.#abortGoalsOf(host);
      },
      onNews: (news, host) => this.#onNews(news, host),
    });
  }

  async send(
    name: string,
    type: string,
    goal: MessageValue,
    options: CallOptions & { readonly onFeedback?: (value: MessageValue) => void },
  ): Promise<GoalHandle> {
    const { timeoutMs, signal, onFeedback } = options;
    const goalId = randomUUID().replaceAll('-', '');
    const outcome = Promise.withResolvers<GoalResult>();
    // The result may be ignored.
    outcome.promise.catch(() => {});
    this.#sent.set(goalId, { name, outcome, onFeedback });
    let accepted: boolean;
    try {
      const order = { op: 'sendGoal', goalId, name, type, goal, timeoutMs } as const;
      accepted = await this.#link.call<boolean>(order, timeoutMs, 'send a goal', name, signal);
    } catch (error) {
      this.#sent.delete(goalId);
      // It may still have been accepted: a goal without a client is not left running.
      if (error instanceof EdgeError && error.code === 'deadline.exceeded') this.#disown(goalId, name);
      throw error;
    }
    if (!accepted) {
      this.#sent.delete(goalId);
      outcome.resolve({ status: 'rejected', result: {} });
    }
    return {
      goalId,
      result: outcome.promise,
      cancel: (ms) => (accepted ? this.#cancel(goalId, name, ms) : Promise.resolve(false)),
    };
  }

  async serve(name: string, type: string, handlers: Handlers): Promise<{ close(): Promise<void> }> {
    const server = this.#number();
    const served: Served = { name, type, handlers, goals: new Map(), isAsked: true };
    this.#served.set(server, served);
    try {
      const order = { op: 'serveAction', server, name, type } as const;
      await this.#link.call(order, ROS_LIMITS.REQUEST_MS, 'serve an action', name);
      served.isAsked = false;
    } catch (error) {
      this.#served.delete(server);
      throw error;
    }
    return {
      close: async () => {
        if (!this.#served.delete(server)) return;
        for (const { cancel } of served.goals.values()) cancel.abort('the action server closed');
        const { host } = this.#link;
        if (!host) return;
        const { answer, abort } = host.apiCall({ op: 'unserve', server });
        const closed = withDeadline(this.#clock, ROS_LIMITS.REQUEST_MS, answer, 'close an action', name);
        await closed.catch(abort);
      },
    };
  }

  /** The standard service of every action server, which takes the UUID of a goal from any client. */
  async #cancel(goalId: string, name: string, timeoutMs: number): Promise<boolean> {
    const uuid = Uint8Array.from(Buffer.from(goalId, 'hex'));
    const order = {
      op: 'call',
      name: `${name}/_action/cancel_goal`,
      type: 'action_msgs/srv/CancelGoal',
      request: { goal_info: { goal_id: { uuid } } },
      timeoutMs,
    } as const;
    const answer = await this.#link.call<MessageValue>(order, timeoutMs, 'cancel a goal', name);
    return answer['return_code'] === 0 && (answer['goals_canceling'] as unknown[]).length > 0;
  }

  /** Cancelled until its server has heard it: through the next host too, when this one dies meanwhile. */
  #disown(goalId: string, name: string, callsLeft = DISOWN_CALLS_MAX): void {
    this.#cancel(goalId, name, ROS_LIMITS.REQUEST_MS).then(
      (cancelled) =>
        cancelled &&
        this.#report('warn', `${name}: goal ${goalId} was cancelled because it had no client left`),
      (error: unknown) => {
        const { code, message } = EdgeError.from(error, 'ros.failed', 'cancel a goal', name);
        // The network may hide it, or lose the request; one that is really gone executes nothing.
        if ((code === 'ros.not_found' || code === 'deadline.exceeded') && callsLeft > 1)
          return this.#disown(goalId, name, callsLeft - 1);
        // Never seen in this time: this is not reported.
        if (code === 'ros.not_found') return;
        this.#report(
          'warn',
          `${name}: goal ${goalId} has no client left and could not be cancelled: ${message}`,
        );
        if (code === 'ros.failed' && this.#orphans.size < ORPHANS_MAX) this.#orphans.set(goalId, name);
      },
    );
  }

  async #restore(host: HostProcess): Promise<void> {
    for (const [server, { name, type, isAsked }] of this.#served) {
      if (isAsked) continue;
      const { answer } = host.apiCall({ op: 'serveAction', server, name, type });
      const served = withDeadline(this.#clock, ROS_LIMITS.REQUEST_MS, answer, 'serve an action', name);
      await served.catch((error: unknown) => {
        if (!host.alive) throw error;
        this.#report('error', `${name}: ${error instanceof Error ? error.message : String(error)}`);
      });
    }
    for (const [goalId, name] of this.#orphans) {
      this.#orphans.delete(goalId);
      this.#disown(goalId, name);
    }
  }

  #loseSent(reason: string): void {
    for (const [goalId, { name, outcome }] of this.#sent) {
      this.#orphans.set(goalId, name);
      outcome.reject(
        new EdgeError('robot.unreachable', {
          operation: 'wait for the result',
          subject: name,
          message: `the ROS host process ended during the goal (${reason}); the goal is cancelled when the process is running again`,
        }),
      );
    }
    this.#sent.clear();
  }

  #abortGoalsOf(gone: HostProcess): void {
    for (const { goals } of this.#served.values()) {
      for (const [goalId, { host, cancel }] of goals) {
        if (host !== gone) continue;
        goals.delete(goalId);
        cancel.abort('the ROS host process ended; the client lost its goal');
      }
    }
  }

  #onNews(news: ApiNews, host: HostProcess): void {
    switch (news.op) {
      case 'goalFeedback':
        this.#guard(() => this.#sent.get(news.goalId)?.onFeedback?.(news.value));
        return;
      case 'goalResult':
        this.#sent.get(news.goalId)?.outcome.resolve(news.result);
        this.#sent.delete(news.goalId);
        return;
      case 'goalLost': {
        const lost = this.#sent.get(news.goalId);
        this.#sent.delete(news.goalId);
        lost?.outcome.reject(EdgeError.fromBody(news.error));
        // The server may live and only the network have hidden it: it must not keep moving without a client.
        if (lost) this.#disown(news.goalId, lost.name);
        return;
      }
      case 'goal':
        this.#asked(news.server, news.goalId, news.value, host);
        return;
      case 'execute':
        this.#execute(news.server, news.goalId);
        return;
      case 'cancelled':
        this.#served.get(news.server)?.goals.get(news.goalId)?.cancel.abort('canceled by its client');
        return;
    }
  }

  #asked(server: number, goalId: string, goal: MessageValue, host: HostProcess): void {
    const served = this.#served.get(server);
    let accepted = false;
    this.#guard(() => {
      accepted = served?.handlers.accept(goal) ?? false;
    });
    if (accepted) served!.goals.set(goalId, { goal, cancel: new AbortController(), host });
    host.apiWord({ op: 'accept', server, goalId, accepted });
  }

  #execute(server: number, goalId: string): void {
    const served = this.#served.get(server);
    const own = served?.goals.get(goalId);
    if (!served || !own) return;
    const goal: ServedGoal = {
      goalId,
      goal: own.goal,
      canceled: own.cancel.signal,
      feedback: (value) => {
        if (served.goals.get(goalId) === own) own.host.apiWord({ op: 'feedback', server, goalId, value });
      },
    };
    Promise.resolve()
      .then(() => served.handlers.execute(goal))
      .catch((error: unknown): GoalResult => {
        const why = error instanceof Error ? error.message : String(error);
        this.#report('error', `${served.name}: goal ${goalId} is aborted: ${why}`);
        return { status: 'aborted', result: {} };
      })
      .then((result) => {
        // A goal of a host that died is not answered through the next one, which does not know it.
        if (served.goals.get(goalId) !== own) return;
        served.goals.delete(goalId);
        own.host.apiWord({ op: 'finish', server, goalId, result });
      })
      .catch(() => {});
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#report('error', `a handler failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
