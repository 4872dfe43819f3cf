import {
  type CellContext,
  type CellName,
  EdgeError,
  METHODS,
  type MotionResult,
  type NewEvent,
  type RobotState,
  type Sample,
  type Timer,
  TOPICS,
  type WorkCounter,
  withDeadline,
} from '../../contract/core.ts';
import type { ControlClient } from './control/control-client.ts';
import type { Receipt } from './control/control-loop.ts';
import { ActuationLease, LEASE_PRIORITIES, type Lease } from './lease.ts';
import { parseCancel, parseManeuver, parseNavigate, parseStop } from './robot-requests.ts';

/** How long a lease lives without renewal, and a safe stop may take, milliseconds. */
const LEASE_TTL_MS = 3_000;
const SAFE_STOP_MS = 4_000;

/**
 * The robot as the other cells know it: the methods of `METHODS.execution.robot*` on the cell bus, each motion
 * under the actuation lease, and its audit in the event log.
 */
export class RobotService {
  readonly #context: CellContext;
  readonly #control: ControlClient;
  readonly #lease: ActuationLease;
  readonly #connected: () => boolean;
  /** Motions under way by id, and who asked: the lease of the agent lives as long as one of them does. */
  readonly #motions = new Map<string, CellName>();
  #held: Lease | undefined;
  #renewal: Timer | undefined;

  /** `connected` tells whether samples of the robot still arrive. */
  constructor(context: CellContext, control: ControlClient, connected: () => boolean) {
    this.#context = context;
    this.#control = control;
    this.#connected = connected;
    this.#lease = new ActuationLease({
      clock: context.clock,
      safeStop: (reason) => this.#safeStop(reason),
      onGranted: (lease) =>
        this.#note({ kind: 'lease.granted', payload: { holder: lease.holder, ttl_ms: lease.ttlMs } }),
      onEnded: (lease, reason) =>
        this.#note({ kind: 'lease.released', payload: { holder: lease.holder, reason } }),
    });
  }

  /** Others in this cell who command the base (teleoperation, central) take the lease here. */
  get lease(): ActuationLease {
    return this.#lease;
  }

  register(): void {
    const { bus } = this.#context;
    const methods = METHODS.execution;
    bus.handle(methods.robotState, () => this.state());
    bus.handle(methods.robotMap, () => this.#control.map());
    bus.handle(methods.robotNavigate, async (body, from) => {
      const { motionId, goal } = parseNavigate(body);
      return this.#move(motionId, from, () => this.#control.navigate(motionId, goal));
    });
    bus.handle(methods.robotManeuver, async (body, from) => {
      const { motionId, goal } = parseManeuver(body);
      return this.#move(motionId, from, () => this.#control.maneuver(motionId, goal));
    });
    bus.handle(methods.robotCancel, async (body) => {
      const { motionId, reason } = parseCancel(body);
      this.#control.cancel(motionId, reason);
    });
    bus.handle(methods.robotStop, async (body) => this.#stop(parseStop(body).reason));
    bus.onBroadcast(TOPICS.cellState, (body) => this.#cellsAre(body));
  }

  async state(): Promise<RobotState> {
    const state = await this.#control.state();
    return { ...state, connected: state.connected && this.#connected() };
  }

  offer(sample: Sample): void {
    this.#control.offer(sample);
  }

  work(): WorkCounter {
    return this.#control.work();
  }

  /** For `onTick` of the control client: what the record has to know. */
  record(receipts: readonly Receipt[]): void {
    for (const receipt of receipts) {
      if (receipt.kind === 'command.refused') {
        this.#note({ kind: 'command.refused', payload: { error: receipt.error, source: receipt.source } });
      } else {
        this.#note({ kind: 'safety.stopped', payload: { reason: receipt.reason, source: receipt.source } });
      }
    }
  }

  /** The robot stands when this settles, or `SAFE_STOP_MS` have passed. */
  async close(): Promise<void> {
    this.#renewal?.cancel();
    if (this.#motions.size > 0) await this.#safeStop('the cell stops').catch(() => {});
    this.#lease.close();
  }

  async #move(motionId: string, from: CellName, start: () => Promise<MotionResult>): Promise<MotionResult> {
    if (this.#motions.has(motionId)) {
      throw new EdgeError('schema.invalid', {
        operation: 'robot-motion',
        subject: motionId,
        message: 'a motion of this id is under way',
      });
    }
    await this.#take();
    this.#motions.set(motionId, from);
    try {
      return await start();
    } finally {
      this.#motions.delete(motionId);
      if (this.#motions.size === 0) this.#giveBack();
    }
  }

  /** A robot does not drive on for somebody who is gone: it waits, standing, until it is asked anew. */
  #cellsAre(reports: unknown): void {
    const askers = new Set<unknown>(this.#motions.values());
    for (const { name, state } of reports as readonly { name: string; state: string }[]) {
      const gone = state === 'down' || state === 'failed' || state === 'stopped';
      if (gone && askers.has(name)) this.#safeStop(`the ${name} cell is gone`).catch(() => {});
    }
  }

  async #take(): Promise<void> {
    if (this.#held && this.#lease.holds(this.#held.id)) return;
    const lease = await this.#lease.acquire('agent', LEASE_PRIORITIES.agent, LEASE_TTL_MS);
    this.#held = lease;
    this.#renewal?.cancel();
    this.#renewal = this.#context.clock.every(LEASE_TTL_MS / 3, () => {
      if (this.#lease.holds(lease.id)) this.#lease.renew(lease.id);
    });
  }

  #giveBack(): void {
    this.#renewal?.cancel();
    if (this.#held) this.#lease.release(this.#held.id);
    this.#held = undefined;
  }

  async #stop(reason: string): Promise<void> {
    this.#note({ kind: 'safety.stopped', payload: { reason: reason.slice(0, 512), source: 'request' } });
    await withDeadline(this.#context.clock, SAFE_STOP_MS, this.#control.stop(reason), 'stop', 'robot');
  }

  async #safeStop(reason: string): Promise<void> {
    this.#note({ kind: 'safety.stopped', payload: { reason, source: 'lease' } });
    await withDeadline(this.#context.clock, SAFE_STOP_MS, this.#control.stop(reason), 'safe-stop', 'robot');
  }

  #note(event: NewEvent): void {
    this.#context.emit([event]).catch((error: unknown) => {
      this.#context.report('error', 'an actuation event could not be logged', {
        kind: event.kind,
        error: error instanceof Error ? error.message : String(error),
      });
    });
  }
}
