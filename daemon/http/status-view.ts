import {
  type ExecutionStatus,
  LIMITS,
  type LinkStatus,
  METHODS,
  type MemoryStatus,
  type ModelView,
  type PushStats,
  type QuotaView,
  type RobotHealth,
  type RobotState,
  type RuntimeStatus,
  toWireTime,
  type WireServerView,
  withDeadline,
} from '../../contract/index.ts';
import type { CellsView, CellView } from './cells-view.ts';
import type { HttpConfig, HttpPorts } from './http-ports.ts';
import type { LogReaders } from './log-readers.ts';
import { askPolicies } from './policy-metrics.ts';
import { armView } from './routes/motions.ts';

/** A part of the status, or the reason why it is missing. One dead cell never hides the others. */
export type Part<T> =
  | ({ readonly available: true } & T)
  | { readonly available: false; readonly reason: string };

export type StatusParts = {
  readonly execution: Part<ExecutionStatus>;
  readonly runtime: Part<RuntimeStatus>;
  readonly memory: Part<MemoryStatus>;
  readonly link: Part<LinkStatus>;
};

/** The answer of `GET /v1/status`; names as on the wire. */
export type StatusView = {
  readonly robot_id: string;
  readonly version: string;
  readonly ts: string;
  readonly cells: readonly CellView[];
  readonly log_seq: Readonly<Record<string, number>>;
  readonly runs: Part<object>;
  readonly robot: Part<object>;
  readonly recorder: Part<object>;
  readonly control: Part<object>;
  readonly zenoh: Part<object>;
  readonly lake: Part<object>;
  readonly link: Part<object>;
  /** Use of quotas by tenant; absent where no quota is configured. */
  readonly quotas?: readonly QuotaView[];
  readonly models?: readonly Pick<ModelView, 'name' | 'state' | 'reason'>[];
  /** Servers for clients of other protocols; absent where none is open. */
  readonly wires?: readonly WireServerView[];
  /** Push notifications to A2A clients; absent where none are allowed. */
  readonly a2a_push?: PushStats;
};

/** Asks all cells at once, each with its own deadline. */
export async function askCells(ports: HttpPorts): Promise<StatusParts> {
  const ms = LIMITS.STATUS_PART_MS;
  const { bus } = ports;
  const [execution, memory, link, runtime] = await Promise.all([
    part(ports, METHODS.execution.status, bus.request('execution', METHODS.execution.status, {}, ms)),
    part(ports, METHODS.memory.status, bus.request('memory', METHODS.memory.status, {}, ms)),
    part(ports, METHODS.link.status, bus.request('link', METHODS.link.status, {}, ms)),
    part(
      ports,
      METHODS.runtime.status,
      Promise.resolve().then(() => ports.runtime.status()),
    ),
  ]);
  return { execution, memory, link, runtime };
}

async function part<T>(ports: HttpPorts, method: string, work: Promise<T>): Promise<Part<T>> {
  try {
    const value = await withDeadline(ports.clock, LIMITS.STATUS_PART_MS, work, method, 'status');
    return { ...value, available: true };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

export async function statusView(
  ports: HttpPorts,
  config: HttpConfig,
  cells: CellsView,
  logs: LogReaders,
): Promise<StatusView> {
  const [{ execution, runtime, memory, link }, { wires }] = await Promise.all([
    askCells(ports),
    askPolicies(ports.bus),
  ]);
  const quotas = ports.governance?.quotas() ?? [];
  const autoStart = ports.autoStart?.();
  const push = ports.a2a?.push?.();
  const models = (ports.models?.models() ?? []).map(({ name, state, reason }) => ({ name, state, reason }));
  return {
    robot_id: config.robot,
    version: config.version,
    ts: toWireTime(ports.clock.now()),
    cells: cells.all(),
    log_seq: logs.lastSeqs(),
    runs: map(runtime, (r) => ({
      ready: r.ready,
      apps: r.apps,
      ...(r.refused ? { refused: r.refused } : {}),
      runs: r.runs,
      phases: r.phase,
      load: r.load,
      ...(autoStart ? { auto_start: autoStart } : {}),
    })),
    robot: map(execution, robotPart),
    recorder: map(execution, (e) => ({
      state: e.recorder.state,
      reason: e.recorder.reason,
      received: e.received,
      written: e.written,
      dropped: e.dropped,
      messages_per_second: e.messagesPerSecond,
      bytes: e.recorder.bytes,
      segments: e.recorder.segments,
      ledger: e.ledger,
    })),
    control: map(execution, (e) => e.control),
    zenoh: map(execution, (e) => ({ ...e.zenoh, routes: e.routes ?? [] })),
    lake: map(memory, (m) => ({ ready: m.ready, reason: m.reason, lag: m.lag, ...(m.lake ?? {}) })),
    link: map(link, ({ ready, state, reason, lanes, downlink }) => ({
      ready,
      state,
      reason,
      lanes,
      ...(downlink ? { downlink } : {}),
    })),
    ...(quotas.length === 0 ? {} : { quotas }),
    ...(models.length === 0 ? {} : { models }),
    ...(wires.length === 0 ? {} : { wires }),
    ...(push ? { a2a_push: push } : {}),
  };
}

function robotPart(status: ExecutionStatus): object {
  return {
    ready: status.ready,
    source: status.source,
    degraded: status.degraded,
    map_coverage: status.mapCoverage,
    ...(status.estop ? { estop: status.estop } : {}),
    ...(status.lease ? { lease: status.lease } : {}),
    health: healthView(status.health),
    ...(status.arm ? { arm: armView(status.arm) } : {}),
    ...(status.robot ? robotView(status.robot) : { connected: false }),
  };
}

function healthView({ battery, diagnostics, joints }: RobotHealth): object {
  const told = diagnostics.map(({ hardwareId, ...rest }) => ({ ...rest, hardware_id: hardwareId }));
  return { ...(battery ? { battery } : {}), diagnostics: told, joints };
}

function robotView(state: RobotState): object {
  const { time, ...rest } = state;
  return { time_ns: toWireTime(time), ...rest };
}

function map<T, R extends object>(from: Part<T>, to: (value: T) => R): Part<R> {
  return from.available ? { ...to(from), available: true } : from;
}
