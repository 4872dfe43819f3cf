import { randomBytes } from 'node:crypto';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { openBag } from '../../adapters/rosbag/index.ts';
import { IdSource } from '../../contract/index.ts';
import type { RecorderOptions } from '../../daemon/execution/recorder/index.ts';
import {
  Recording,
  type RecordingMode,
  type RetentionPolicy,
} from '../../daemon/execution/recording/index.ts';
import type { RecordingOptions } from '../../daemon/execution/recording/recording.ts';
import { makeRecorder } from './recorder.ts';

export type RecordingSetup = Partial<
  Pick<RecordingOptions, 'triggers' | 'definitionOf' | 'mayEvict' | 'preMs' | 'postMs' | 'story'>
> & {
  readonly mode?: RecordingMode;
  readonly policies?: readonly RetentionPolicy[];
  readonly recorder?: Partial<RecorderOptions>;
};

/** A recorder and everything around it, as the execution cell has them. */
export function makeRecording(dataDir: string, setup: RecordingSetup = {}) {
  const rig = makeRecorder(dataDir, setup.recorder);
  const clock = new SystemClock();
  const recording = new Recording({
    clock,
    ids: new IdSource(
      () => Number(clock.now() / 1_000_000n),
      (length) => randomBytes(length),
    ),
    dataDir,
    mode: setup.mode ?? 'continuous',
    recorder: rig.recorder,
    policies: setup.policies ?? [],
    preMs: setup.preMs ?? 100,
    postMs: setup.postMs ?? 0,
    triggers: setup.triggers ?? [],
    definitionOf: setup.definitionOf ?? (() => undefined),
    mayEvict: setup.mayEvict ?? (() => 'lost'),
    report: (level, message) => rig.reports.push(`${level}: ${message}`),
    ...(setup.story ? { story: setup.story } : {}),
  });
  const start = async () => {
    await rig.recorder.start();
    await recording.start();
  };
  const stop = async () => {
    await recording.stop();
    await rig.recorder.stop();
  };
  return { ...rig, recording, start, stop };
}

/** The numbers of `sampleOf` in a bag, in order. */
export async function numbersIn(path: string): Promise<number[]> {
  const bag = await openBag(path);
  const numbers: number[] = [];
  for await (const { bytes } of bag.messages())
    numbers.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true));
  await bag.close();
  return numbers;
}
