import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentEvent } from '../../contract/index.ts';
import { decodeOdometry } from '../../formats/cdr/index.ts';
import { McapReader } from '../../formats/mcap/index.ts';
import { HandleReadable } from '../../io/file-readable.ts';
import { foreignView } from './readers.ts';

export type Account = {
  readonly received: number;
  readonly written: number;
  readonly dropped: Readonly<Record<string, number>>;
};

/** The loss ledger as the log tells it: over all lives of the recorder. */
export function accountOf(events: readonly AgentEvent[]): Account {
  let received = 0;
  let written = 0;
  const dropped: Record<string, number> = {};
  for (const event of events) {
    if (event.kind !== 'losses.recorded') continue;
    for (const topic of event.payload.topics) {
      received += topic.received;
      written += topic.written;
      for (const [reason, count] of Object.entries(topic.dropped))
        dropped[reason] = (dropped[reason] ?? 0) + count;
    }
  }
  return { received, written, dropped };
}

export function bagsOf(dataDir: string): string[] {
  return readdirSync(join(dataDir, 'bags'))
    .sort()
    .map((bag) => join(dataDir, 'bags', bag));
}

/** Messages in all sealed files, counted by the Python reader, which checks every CRC. */
export async function foreignCount(dataDir: string): Promise<number> {
  let count = 0;
  for (const bag of bagsOf(dataDir)) {
    const { topics } = await foreignView('mcap', bag);
    for (const topic of Object.values(topics)) count += topic.count;
  }
  return count;
}

/** True speed of the robot, metres per second and radians per second. */
export type TrueTwist = { readonly linear: number; readonly angular: number };

/** In the first message of a bag. */
export async function firstTrueTwist(bag: string): Promise<TrueTwist | undefined> {
  for await (const twist of trueTwists(bag)) return twist;
  return undefined;
}

/** In the last message of a bag. */
export async function lastTrueTwist(bag: string): Promise<TrueTwist | undefined> {
  let last: TrueTwist | undefined;
  for await (const twist of trueTwists(bag)) last = twist;
  return last;
}

async function* trueTwists(bag: string): AsyncGenerator<TrueTwist> {
  const file = readdirSync(bag).find((name) => name.endsWith('_0.mcap'));
  if (!file) return;
  const handle = await open(join(bag, file), 'r');
  try {
    const reader = await McapReader.open(new HandleReadable(handle, file));
    const topics = new Set(['/ground_truth/odom']);
    for await (const { message } of reader.messages({ topics })) {
      const { linear, angular } = decodeOdometry(message.data).twist.twist;
      yield { linear: Math.hypot(linear.x, linear.y), angular: Math.abs(angular.z) };
    }
  } finally {
    await handle.close();
  }
}
