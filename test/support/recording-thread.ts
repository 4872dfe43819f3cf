import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Block, roomFor } from '../../daemon/execution/recorder/block.ts';
import { IntakeCounter } from '../../daemon/execution/recorder/intake.ts';
import type { FromThread, ThreadOptions } from '../../daemon/execution/recorder/protocol.ts';
import { RecordingThread } from '../../daemon/execution/recorder/recording-thread.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { sampleOf } from './recorder.ts';
import { until } from './until.ts';

type Of<T extends FromThread['t']> = Extract<FromThread, { t: T }>;

export function threadOptionsFor(dataDir: string, options: Partial<ThreadOptions> = {}): ThreadOptions {
  const intakeDir = join(dataDir, 'intake');
  mkdirSync(intakeDir, { recursive: true });
  return {
    dataDir,
    bag: 'bag',
    session: 'first',
    intakeDir,
    library: 'test',
    segmentBytesMax: 1 << 30,
    segmentMs: 3_600_000,
    syncMs: 50,
    retryMs: 1_000,
    freeSpaceFloorBytes: 0,
    compression: 'none',
    queueBytesMax: 1 << 28,
    ...options,
  };
}

/** The work of the recorder's thread in this one, on a clock that stands: nothing is synced or tried again unasked. */
export function makeThread(dataDir: string, given: Partial<ThreadOptions> = {}) {
  const options = threadOptionsFor(dataDir, given);
  const clock = new ManualClock();
  const posts: FromThread[] = [];
  const thread = new RecordingThread(options, clock, (message) => posts.push(message));
  const of = <T extends FromThread['t']>(t: T) => posts.filter((one): one is Of<T> => one.t === t);
  let intake: IntakeCounter | undefined;
  let number = 0;
  let asks = 0;

  const start = async () => {
    await thread.start();
    intake = new IntakeCounter(options.intakeDir, options.session);
    intake.addChannel(1, '/a');
    const schema = { schemaEncoding: 'ros2msg', schemaText: 'uint32 data', qosProfiles: '' };
    thread.receive({ t: 'channel', id: 1, topic: '/a', type: 'std_msgs/msg/UInt32', ...schema });
  };
  /** One sample, in a block of its own: it is written at once. */
  const offer = (size = 64) => {
    const sample = sampleOf('/a', number, size);
    const block = new Block(number, Block.memoryFor(roomFor(sample.bytes.length)));
    block.append(sample, 1, number);
    block.close();
    intake?.accept(1);
    thread.receive({ t: 'block', id: block.id, memory: block.memory });
    number += 1;
  };
  const drop = (count: number) =>
    thread.receive({ t: 'drops', drops: [{ topic: '/a', reason: 'queue_full', count }] });
  const answer = async (ask: number): Promise<Of<'done'> | Of<'refused'>> => {
    const find = () => [...of('done'), ...of('refused')].find((one) => one.ask === ask);
    await until(() => find() !== undefined, 'the answer of the thread');
    return find()!;
  };
  const seal = () => {
    const ask = ++asks;
    thread.receive({ t: 'seal', ask });
    return answer(ask);
  };
  const sync = () => {
    const ask = ++asks;
    thread.receive({ t: 'sync', ask });
    return answer(ask);
  };
  const useBag = (bag: string) => {
    const ask = ++asks;
    thread.receive({ t: 'bag', ask, bag });
    return answer(ask);
  };
  /** Of one topic, in all ledgers that were told. */
  const toldDrops = () =>
    [...of('sealed'), ...of('crashed')]
      .flatMap(({ losses }) => losses?.topics ?? [])
      .reduce((sum, { dropped }) => sum + (dropped['queue_full'] ?? 0), 0);
  return { clock, of, start, offer, drop, seal, sync, useBag, toldDrops };
}
