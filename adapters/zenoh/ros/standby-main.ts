/**
 * The process that stops a robot on rmw_zenoh when who commands it is gone: killed, hung or frozen. It has a session of
 * its own, sends zeros and nothing else, and ends with who started it.
 */
import type { TopicSpec } from '../../../contract/core.ts';
import { TypeBook } from '../../../formats/ros2/index.ts';
import { SystemClock } from '../../clock/system-clock.ts';
import { openKeySpace } from '../open-key-space.ts';
import { definitionFiles } from './definition-files.ts';
import { RosZenohSession } from './session.ts';
import type { FromStandby, StandbyStart, ToStandby } from './standby.ts';
import { StandbyDesk } from './standby-desk.ts';
import { TopicWriter } from './topic-writer.ts';
import { stopOf } from './velocity-stop.ts';

/** What was sent last leaves the process meanwhile, milliseconds. */
const FLUSH_MS = 200;

const clock = new SystemClock();
const desk = new StandbyDesk(clock, {
  stopped: (topics) => post({ stopped: topics }),
  done: () => clock.after(FLUSH_MS, () => process.exit()),
});
const owner = {};
let session: RosZenohSession | undefined;

// Signals to the whole group are for the daemon: it brings the robot to rest, or is gone and we do.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => desk.leave());
process.on('message', (message: ToStandby) => {
  if (message.op === 'open') open(message);
  else if (message.op === 'guard') guard(message.topic).catch(fail);
  else if (message.op === 'beat') desk.beat(message.moving);
  else process.exit();
});
process.on('unhandledRejection', fail);
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
  await session.start(owner);
  const writer = new TopicWriter(session, topic);
  await writer.open();
  desk.guard({
    topic: topic.topic,
    bounded: topic.speeds !== undefined,
    listeners: () => writer.listeners,
    sendStop: () => writer.offer(stop.message(), { must: true }),
  });
  post({ guards: topic.topic });
}

function fail(thrown: unknown): void {
  post({ fault: thrown instanceof Error ? thrown.message : String(thrown) });
  // It is made again; while something moves and no other process can stop it, what works continues.
  if (!desk.hasLeft) clock.after(FLUSH_MS, () => process.exit(1));
}

function post(message: FromStandby): void {
  if (process.connected) process.send!(message, undefined, undefined, () => {});
}
