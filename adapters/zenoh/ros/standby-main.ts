/**
 * The process that stops a robot on rmw_zenoh when who commands it is gone: killed, hung or frozen. It has a session of
 * its own, sends zeros and nothing else, and ends with who started it.
 */
import { LIMITS, type TopicSpec } from '../../../contract/core.ts';
import { TypeBook } from '../../../formats/ros2/index.ts';
import { STOP_REPEATS, VelocityGuard } from '../../../formats/ros2/velocity-guard.ts';
import { SystemClock } from '../../clock/system-clock.ts';
import { openKeySpace } from '../open-key-space.ts';
import { definitionFiles } from './definition-files.ts';
import { RosZenohSession } from './session.ts';
import type { FromStandby, StandbyStart, ToStandby } from './standby.ts';
import { TopicWriter } from './topic-writer.ts';
import { type Stop, stopOf } from './velocity-stop.ts';

const TICK_MS = 25;
/** Who lost its starter while something moved tries for so long to be heard, milliseconds. */
const LEAVE_MS_MAX = 30_000;
/** What was sent last leaves the process meanwhile, milliseconds. */
const FLUSH_MS = 200;

type Guarded = {
  readonly guard: VelocityGuard;
  readonly stop: Stop;
  readonly writer: TopicWriter;
  sent: number;
};

const clock = new SystemClock();
const guarded = new Map<string, Guarded>();
let session: RosZenohSession | undefined;
let leftAtMs: number | undefined;
/** What moved when the sender was gone, or was being stopped: each of it is stopped before this process leaves. */
let owed: readonly Guarded[] = [];

// Signals to the whole group are for the daemon: it brings the robot to rest, or is gone and we do.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', leave);
process.on('message', (message: ToStandby) => {
  if (message.op === 'open') open(message);
  else if (message.op === 'guard') guard(message.topic).catch(fail);
  else if (message.op === 'beat') beat(message.moving);
  else process.exit();
});
process.on('unhandledRejection', fail);
clock.every(TICK_MS, tick);
if (!process.connected) process.exit();

function open({ zenoh, ros, definitions }: StandbyStart): void {
  session = new RosZenohSession(ros, {
    clock,
    open: async () => (await openKeySpace(zenoh, { clock })).keySpace,
    types: new TypeBook(definitionFiles(definitions)),
    report: () => {},
  });
}

async function guard(topic: TopicSpec): Promise<void> {
  const stop = stopOf(topic, clock);
  if (!session || !stop) return;
  await session.start(guarded);
  const writer = new TopicWriter(session, topic);
  await writer.open();
  const options = { standby: true, bounded: topic.speeds !== undefined };
  guarded.set(topic.topic, {
    writer,
    stop,
    guard: new VelocityGuard(LIMITS.COMMAND_EXPIRY_MS, options),
    sent: 0,
  });
  post({ guards: topic.topic });
}

function beat(moving: readonly string[]): void {
  const nowMs = clock.monotonicMs();
  for (const [topic, one] of guarded) {
    one.guard.command(!moving.includes(topic), nowMs);
    one.sent = 0;
  }
}

function tick(): void {
  const nowMs = clock.monotonicMs();
  const stopped: string[] = [];
  for (const [topic, one] of guarded) {
    const due = one.guard.tick(nowMs, one.writer.listeners);
    if (due.expired) stopped.push(topic);
    if (!due.stop) continue;
    if (one.writer.offer(one.stop.message(), { must: true })) one.sent++;
    else one.guard.halt();
  }
  if (stopped.length > 0) post({ stopped });
  if (leftAtMs === undefined) return;
  const isDone = owed.every(({ sent }) => sent >= STOP_REPEATS);
  if (isDone || nowMs - leftAtMs > LEAVE_MS_MAX) clock.after(FLUSH_MS, () => process.exit());
}

/** Who commanded is gone. */
function leave(): void {
  const moving = [...guarded.values()].filter(({ guard: one }) => one.moving);
  // It was already being stopped, since no beat came: to the end.
  const stopping = [...guarded.values()].filter(({ sent }) => sent > 0 && sent < STOP_REPEATS);
  owed = [...new Set([...moving, ...stopping])];
  if (owed.length === 0) process.exit();
  leftAtMs = clock.monotonicMs();
  for (const { guard: one } of moving) one.adapterLost();
  tick();
}

function fail(thrown: unknown): void {
  post({ fault: thrown instanceof Error ? thrown.message : String(thrown) });
  // It is made again; while something moves and nobody else can stop it, what works goes on.
  if (leftAtMs === undefined) clock.after(FLUSH_MS, () => process.exit(1));
}

function post(message: FromStandby): void {
  if (process.connected) process.send!(message, undefined, undefined, () => {});
}
