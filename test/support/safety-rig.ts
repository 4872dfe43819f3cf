import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CellContext,
  type EStopState,
  type MotionResult,
  type NewEvent,
  type Sample,
  TOPICS,
} from '../../contract/index.ts';
import { Actuation } from '../../daemon/execution/actuation.ts';
import { type DoorPath, RobotSink } from '../../daemon/execution/door/index.ts';
import { SafetyDesk, type SafetyOptions } from '../../daemon/execution/safety/safety-desk.ts';
import { SafetyWatch } from '../../daemon/execution/safety/safety-word.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const RESULT: MotionResult = {
  ...{ outcome: 'reached', pose: undefined, distance: 0, durationMs: 0, time: 0n, message: '' },
};

const ends: (() => void)[] = [];

/** After each test. */
export function endRigs(): void {
  for (const end of ends.splice(0)) end();
}

/** A data directory that outlives cells. */
export function disk(): string {
  const dir = mkdtempSync(join(tmpdir(), 'estop-'));
  ends.push(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }));
  return dir;
}

/** Desk and actuation of an execution cell whose robot the test plays. */
export class Rig {
  readonly clock = new ManualClock();
  readonly bus = new FakeBus(this.clock);
  readonly events: NewEvent[] = [];
  readonly told: EStopState[] = [];
  readonly reports: string[] = [];
  readonly stops: string[] = [];
  readonly sent: Sample[] = [];
  readonly steered: [number, number, number][] = [];
  readonly desk: SafetyDesk;
  /** The way of the base through the door. */
  readonly sink: DoorPath;
  readonly actuation: Actuation;
  readonly watch: SafetyWatch;
  /** How the robot answers a stop. */
  onStop: () => Promise<void> = async () => {};

  constructor(dir = disk(), more: Partial<SafetyOptions> = {}) {
    const context = {
      ...{ name: 'execution', clock: this.clock, bus: this.bus, dataDir: dir },
      report: (_level: string, message: string) => void this.reports.push(message),
      emit: async (more: readonly NewEvent[]) => void this.events.push(...more),
    } as unknown as CellContext;
    this.bus.broadcast = (topic: string, body: unknown) => {
      if (topic === TOPICS.stopEngaged) this.told.push(body as EStopState);
    };
    this.desk = new SafetyDesk(context, {
      times: { ttlMs: 3_000, ttlMsMax: 60_000 },
      ...{ topic: '/emergency_stop', key: 'r1/estop', commands: ['/cmd_vel'] },
      ...more,
    });
    const robot = new RobotSink({
      advertise: async () => {},
      offer: (sample) => {
        this.sent.push(sample);
        return true;
      },
      close: async () => {},
    });
    this.desk.guard(robot);
    this.sink = this.desk.door.path(robot, { kind: 'drive', name: '' });
    const stop = async (reason: string) => {
      this.stops.push(reason);
      await this.onStop();
    };
    this.actuation = new Actuation(context, [stop], this.desk.movers(), this.desk.safety);
    this.watch = new SafetyWatch(this.desk.word.buffer, this.clock);
    this.desk.start(this.actuation, {
      steer: ({ linear, angular }, lease) => {
        this.steered.push([linear, angular, lease]);
        return true;
      },
    });
    ends.push(() => this.desk.close());
  }

  ask<T>(method: string, body: unknown = {}): Promise<T> {
    return this.bus.request<T>('execution', method, body);
  }

  /** A motion that goes on until it is stopped. */
  move(id = 'm'): Promise<MotionResult> {
    return this.actuation.move(id, 'runtime', (signal) => untilAborted(signal));
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }
}

/** A motion that goes on until it is stopped. */
export function untilAborted(signal: AbortSignal): Promise<MotionResult> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ ...RESULT, outcome: 'stopped' }), { once: true });
  });
}
