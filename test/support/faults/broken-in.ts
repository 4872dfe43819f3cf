import { FAULTS, type Motion } from './faults.ts';
import { trialOf } from './trial.ts';
import { runVirtualTrial } from './virtual/run-trial.ts';

const SEED = 4;
const LONGEST_MS = 3_000;

/** What is broken in the first trials of this fault and motion, in accelerated time. */
export async function brokenIn(id: string, motion: Motion, trials: number): Promise<readonly string[]> {
  const faults = FAULTS.filter((fault) => fault.id === id && fault.pace === 'virtual');
  const broken: string[] = [];
  for (let number = 0, done = 0; done < trials; number++) {
    const trial = trialOf(faults, ['base', 'arm'], { seed: SEED, number }, LONGEST_MS);
    if (trial.motion !== motion) continue;
    done++;
    const ended = await runVirtualTrial(trial).catch((thrown: Error) => thrown);
    broken.push(...(ended instanceof Error ? [ended.message] : ended.verdict.broken));
  }
  return broken;
}
