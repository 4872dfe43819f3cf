/**
 * The robot of the load bench: real DDS messages through the ROS host of adapters/ros, at their pace. Argument: JSON
 * `{"seconds": 60, "topics": [{"topic", "type", "bytes", "hz", "depth"}]}`. Prints `{"ready"}`, begins with a line on
 * its stdin, prints `{"sent", "cpu_s", "late"}` at the end and waits for its stdin to close.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost, RosSink } from '../../adapters/ros/index.ts';

type Topic = { topic: string; type: string; bytes: number; hz: number; depth: number };
type Plan = { seconds: number; topics: Topic[] };

const clock = new SystemClock();
const plan = JSON.parse(process.argv[2]!) as Plan;
const host = new RosHost({ node: 'load_generator' }, clock);
const sink = new RosSink(host);
const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** CPU seconds of a process so far. */
function cpuOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

for (const { topic, type, depth } of plan.topics) {
  await sink.advertise({
    topic,
    type,
    qos: { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth },
  });
}
say({ ready: true });

const input = createInterface({ input: process.stdin });
input.on('close', () => void sink.close().then(() => process.exit(0)));
await new Promise<void>((resolve) => input.once('line', () => resolve()));

const lanes = plan.topics.map((topic) => ({ ...topic, sent: 0, message: messageOf(topic.bytes) }));
const began = clock.monotonicMs();
let refused = 0;
const timer = clock.every(1, () => {
  const nowMs = clock.monotonicMs() - began;
  const due = Math.min(nowMs, plan.seconds * 1_000);
  // Small ones first: a large one on its way holds nobody up for long.
  for (const lane of lanes) {
    while (lane.sent < Math.floor((due * lane.hz) / 1_000)) {
      if (!send(lane)) break;
    }
  }
  if (
    nowMs < plan.seconds * 1_000 ||
    (lanes.some((l) => l.sent < Math.floor(plan.seconds * l.hz)) && nowMs < plan.seconds * 1_500)
  )
    return;
  timer.cancel();
  clock.after(500, () =>
    say({
      sent: Object.fromEntries(lanes.map(({ topic, sent }) => [topic, sent])),
      seconds: nowMs / 1_000,
      cpu_s: cpuOf(process.pid) + cpuOf(host.pid),
      refused,
    }),
  );
});

function send(lane: (typeof lanes)[number]): boolean {
  const now = clock.now();
  const view = new DataView(lane.message.buffer);
  view.setInt32(4, Number(now / 1_000_000_000n), true);
  view.setUint32(8, Number(now % 1_000_000_000n), true);
  view.setUint32(lane.message.length - 4, lane.sent, true);
  // The socket holds it until it is written: each message has bytes of its own.
  const bytes = lane.message.slice();
  if (!sink.offer({ topic: lane.topic, type: lane.type, stamp: now, received: now, bytes })) {
    refused += 1;
    return false;
  }
  lane.sent += 1;
  return true;
}

function messageOf(bytes: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(bytes);
  message[1] = 1;
  return message;
}
