import { PushDesk } from '../../../../adapters/a2a/push/push-desk.ts';
import { readTimeTable } from '../../../../adapters/cron/cron-time-table.ts';
import {
  A2A_PUSH,
  type AgentEvent,
  type CellContext,
  type ChatApi,
  EdgeError,
  type EventLog,
  IdSource,
  isFinished,
  type NewEvent,
  type PolicyContext,
  type PolicyHook,
  type PushOrder,
  stopRobot,
  toMs,
} from '../../../../contract/index.ts';
import type { MessageBus } from '../../../../daemon/cell/message-bus.ts';
import { PolicyGate } from '../../../../daemon/runtime/law/policy-gate.ts';
import { RemoteHarness } from '../../../../daemon/runtime/remote/remote-harness.ts';
import { RemoteRuntimes } from '../../../../daemon/runtime/remote/remote-runtimes.ts';
import { ArmProxy } from '../../../../daemon/runtime/robot/arm-proxy.ts';
import { RobotProxy } from '../../../../daemon/runtime/robot/robot-proxy.ts';
import { StopWatch } from '../../../../daemon/runtime/robot/stop-watch.ts';
import { TakeoverWatch } from '../../../../daemon/runtime/robot/takeover-watch.ts';
import { RuntimeCell } from '../../../../daemon/runtime/runtime-cell.ts';
import { serveRuntimeRequests } from '../../../../daemon/runtime/runtime-requests.ts';
import { ScheduleRunner } from '../../../../daemon/runtime/schedule/schedule-runner.ts';
import { armTools } from '../../../../daemon/runtime/tools/arm-tools.ts';
import { motionTools } from '../../../../daemon/runtime/tools/motion-tools.ts';
import { WebhookDesk } from '../../../../daemon/runtime/webhook/webhook-desk.ts';
import { webhookKey } from '../../../../daemon/runtime/webhook/webhook-signature.ts';
import { MemoryEventLog, type MemoryLogDisk } from '../../../fakes/memory-event-log.ts';
import { PEER_HEARTBEAT_MS } from '../bounds.ts';
import { packagesOf } from './packages.ts';
import type { VirtualProcess } from './process.ts';
import { type PushReceiver, RECEIVER } from './push-receiver.ts';

/** Of the webhook `pushed.go`. */
export const SECRET = 'what only the sender and this robot know';
/** The foreign runtime that the daemon of a trial accepts. */
export const FAR = 'far';
/** Who asks by the API. */
export const CALLER: PolicyContext = {
  ...{ tenant: 'local', principal: 'vera', roles: ['operator'], origin: 'api' },
};

/** What of the runtime cell survives its process. */
export type RuntimeDisk = MemoryLogDisk;

export type RuntimeDeps = {
  readonly process: VirtualProcess;
  readonly bus: MessageBus;
  readonly disk: RuntimeDisk;
  readonly robot: 'base' | 'arm';
  /** The policies in force. */
  readonly hooks: readonly PolicyHook[];
  /** Whether the schedule of the package is wanted at this moment. */
  readonly scheduled: () => boolean;
  /** Where states of tasks are posted to. */
  readonly receiver: PushReceiver;
};

/** A log of a process that may be killed: then nothing of it is written or answered. */
function logOf({ process, disk }: RuntimeDeps): EventLog {
  // A killed process lets go of its log.
  disk.writer = undefined;
  const log = new MemoryEventLog({ cell: 'runtime', clock: process, disk });
  return {
    append: async (events) => (process.isDead ? new Promise(() => {}) : log.append(events)),
    reader: () => log.reader(),
    verify: () => log.verify(),
    close: () => log.close(),
  };
}

/**
 * One life of the runtime cell, composed as `daemon/compose/runtime.ts` does: intents, runs, the tool gate with the
 * policies, packages, webhooks, schedules and foreign runtimes. Its log outlives it, in memory.
 */
export class VirtualRuntime {
  readonly cell: RuntimeCell;
  readonly runtimes: RemoteRuntimes;
  readonly webhooks: WebhookDesk;
  readonly gate: PolicyGate;
  /** Posts states of tasks of the Agent2Agent protocol. */
  readonly push: PushDesk;
  readonly ids: IdSource;
  /** To the other cells. */
  readonly bus: MessageBus;
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
  readonly #deps: RuntimeDeps;
  readonly #stops: StopWatch;
  readonly #takeovers: TakeoverWatch;
  readonly #schedules: ScheduleRunner;
  readonly #lastEvent: bigint;

  constructor(deps: RuntimeDeps) {
    this.#deps = deps;
    const { process, bus, disk, robot, hooks } = deps;
    this.bus = bus;
    const log = logOf(deps);
    // Those of one life never meet those of another.
    let drawn = disk.events.length;
    const ids = new IdSource(
      () => toMs(process.now()),
      (length) => Uint8Array.from({ length }, (_, i) => (++drawn >> (8 * (i % 3))) & 0xff),
    );
    this.ids = ids;
    this.emit = async (events) => void (await log.append(events));
    const context: CellContext = {
      ...{ name: 'runtime', clock: process, log, bus, dataDir: '', attempt: 0, startReason: '' },
      ...{ report: () => {}, emit: this.emit },
    };
    this.#lastEvent = lastOf(disk.events);
    this.gate = new PolicyGate(hooks, process);
    let sessions = 0;
    this.runtimes = new RemoteRuntimes({
      ...{ robot: 'r1', clock: process, heartbeatMs: PEER_HEARTBEAT_MS, keepMs: 30_000, report: () => {} },
      identities: [{ name: FAR, token: 'of the far runtime' }],
      sessionId: () => `session-${disk.events.length}-${++sessions}`,
    });
    const tools = [
      ...motionTools(new RobotProxy(bus, process, ids), process),
      ...(robot === 'arm' ? armTools(new ArmProxy(bus, process, ids), process) : []),
    ];
    const apps = packagesOf(robot);
    const cell: RuntimeCell = new RuntimeCell(context, {
      ...{ robot: 'r1', apps, hooks, ids, tools: () => tools },
      harnesses: {
        remote: (app) =>
          new RemoteHarness(app, this.runtimes, {
            pause: (runId, reason) => cell.control.pauseLost(runId, reason),
            resume: (runId) => cell.control.resumeLost(runId),
          }),
      },
    });
    this.cell = cell;
    this.push = new PushDesk({
      ...{ clock: process, origins: [RECEIVER], report: () => {} },
      post: (order) => posted(deps, order),
      keep: {
        read: async () => deps.receiver.kept,
        write: (text) => {
          deps.receiver.kept = text;
        },
      },
      bodies: async () => (await import('../../../../adapters/a2a/push/push-body.ts')).pushBody,
      run: (id) => cell.runs().find(({ run }) => run.run_id === id),
    });
    this.webhooks = new WebhookDesk({
      ...{ clock: process, ids, chat: {} as ChatApi, tenant: 'local', apps: () => apps, report: () => {} },
      rights: [
        {
          name: 'pushed.go',
          keys: [webhookKey(SECRET)],
          roles: ['operator'],
          perMinute: Number.MAX_SAFE_INTEGER,
        },
      ],
      submit: (request, who) => cell.submit(request, who),
      append: (events) => cell.append(events),
    });
    this.#stops = new StopWatch({ bus, clock: process, runtime: cell, report: () => {} });
    this.#takeovers = new TakeoverWatch({
      ...{ bus, clock: process, runs: cell.control, resumeAfterMs: undefined, report: () => {} },
    });
    const specs = apps.flatMap(({ schedules = [] }) => schedules);
    this.#schedules = new ScheduleRunner(
      {
        ...{ robot: 'r1', tenant: 'local', clock: process, runtime: cell, reader: log.reader() },
        ...{ append: (events) => log.append(events), report: () => {} },
      },
      specs.map((spec) => ({
        spec: { ...spec, roles: ['schedule'] },
        table: readTimeTable(spec.cron, spec.timeZone),
      })),
    );
  }

  async start(): Promise<void> {
    serveRuntimeRequests(this.#deps.bus, this.cell);
    await this.cell.start();
    await this.push.start();
    this.#stops.start();
    this.#takeovers.start(this.#lastEvent);
    if (this.#deps.scheduled()) await this.#schedules.start();
  }

  /** As the owner who turns `apps.schedules` on or off. */
  async schedules(on: boolean): Promise<void> {
    if (on) await this.#schedules.start();
    else await this.#schedules.stop();
  }

  /** `POST /v1/robot/stop`: every run ends, and what moves. */
  stopRobot(reason: string): Promise<unknown> {
    const { bus, process: clock } = this.#deps;
    return stopRobot({ bus, clock, runtime: this.cell }, reason, CALLER.principal);
  }

  /** `POST /v1/runs/{id}/messages` to the newest run, also where it has ended; without one as `stopRobot`. */
  sayToRuns(text: string): Promise<unknown> {
    const [newest] = this.cell.runs();
    if (!newest) return this.stopRobot(text);
    return this.cell.control.message(newest.run.run_id, { kind: 'steer', text }, CALLER);
  }

  /** `POST /v1/runs/{id}/cancel` for every run. */
  async cancelAll(reason: string): Promise<void> {
    const open = this.cell.runs().filter(({ run }) => !isFinished(run.status));
    await Promise.allSettled(open.map(({ run }) => this.cell.cancel(run.run_id, reason, CALLER.principal)));
  }
}

/** As the real one posts: a receiver that does not answer in time has not taken it. */
function posted({ process, receiver }: RuntimeDeps, order: PushOrder): Promise<number> {
  return new Promise((resolve, reject) => {
    const subject = { operation: 'post', subject: order.url };
    const late = process.after(A2A_PUSH.ANSWER_MS, () => reject(new EdgeError('deadline.exceeded', subject)));
    const back = (settle: () => void) =>
      process.deliver(() => {
        late.cancel();
        settle();
      });
    receiver.take(order).then(
      (status) => back(() => resolve(status)),
      (thrown: unknown) => back(() => reject(thrown as Error)),
    );
  });
}

function lastOf(events: readonly AgentEvent[]): bigint {
  const last = events.findLast(({ kind }) => !kind.startsWith('cell.'));
  return last ? BigInt(last.ts) : 0n;
}
