import {
  type CancelRequest,
  type CellBus,
  type CellName,
  type Clock,
  EdgeError,
  type Maneuver,
  METHODS,
  type MotionRequest,
  type NavigateGoal,
  type Robot,
  type StopRequest,
} from '../../contract/index.ts';
import { answerChecked } from '../support/checked-bodies.ts';

type Handler = (body: unknown, from: CellName, madeAtMs: number, wantedAtMs: number) => Promise<unknown>;

/** A CellBus within one process: bodies are cloned as between processes, and deadlines hold. */
export class FakeBus implements CellBus {
  readonly #clock: Clock;
  readonly #handlers = new Map<string, Handler>();
  readonly #listeners: { topic: string; listen: (body: unknown, from: CellName) => void }[] = [];
  /** Methods that take requests and never answer. */
  readonly deaf = new Set<string>();
  /** Requests are as old as this when they arrive, milliseconds: they waited in a frozen process. */
  lateMs = 0;
  /** When set, every request fails with it, as with a dead cell. */
  down: EdgeError | undefined;
  /** Methods in the order they were asked. */
  readonly asked: string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  request<T>(
    to: CellName,
    method: string,
    body: unknown,
    timeoutMs = 5_000,
    wantedAtMs?: number,
  ): Promise<T> {
    this.asked.push(method);
    if (this.down) return Promise.reject(this.down);
    const madeAtMs = this.#clock.monotonicMs() - this.lateMs;
    return new Promise<T>((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () =>
        reject(new EdgeError('deadline.exceeded', { operation: method, subject: to })),
      );
      if (this.deaf.has(method)) return;
      const handler = this.#handlers.get(method);
      const work = handler
        ? answerChecked(method, body, (asked) => handler(asked, 'runtime', madeAtMs, wantedAtMs ?? madeAtMs))
        : Promise.reject(new EdgeError('cell.unavailable', { operation: method, subject: to }));
      work.then((answer) => resolve(answer as T), reject).finally(() => timer.cancel());
    });
  }

  handle(
    method: string,
    answer: (body: never, from: CellName, madeAtMs: number, wantedAtMs: number) => Promise<unknown>,
  ): void {
    this.#handlers.set(method, answer as Handler);
  }

  broadcast(_topic: string, _body: unknown): void {}

  onBroadcast(topic: string, listen: (body: unknown, from: CellName) => void): void {
    this.#listeners.push({ topic, listen });
  }

  /** What the supervisor would tell. */
  tell(topic: string, body: unknown): void {
    for (const one of this.#listeners) if (one.topic === topic) one.listen(body, 'runtime');
  }
}

/** Answers for the execution cell with a robot of this process. */
export function serveRobot(bus: FakeBus, robot: Robot): void {
  const motions = new Map<string, AbortController>();
  const { execution } = METHODS;
  const during = async <T>(motionId: string, move: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const abort = new AbortController();
    motions.set(motionId, abort);
    return await move(abort.signal).finally(() => motions.delete(motionId));
  };
  bus.handle(execution.robotState, () => robot.state());
  bus.handle(execution.robotMap, () => robot.map());
  bus.handle(execution.robotNavigate, (body) => {
    const { motionId, goal } = body as MotionRequest<NavigateGoal>;
    return during(motionId, (signal) => robot.navigate(goal, signal));
  });
  bus.handle(execution.robotManeuver, (body) => {
    const { motionId, goal } = body as MotionRequest<Maneuver>;
    return during(motionId, (signal) => robot.maneuver(goal, signal));
  });
  bus.handle(execution.robotCancel, async (body) => motions.get((body as CancelRequest).motionId)?.abort());
  bus.handle(execution.robotStop, (body) => robot.stop((body as StopRequest).reason));
}
