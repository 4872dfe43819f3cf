import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CallName, type EStopState, METHODS } from '../../../../contract/index.ts';
import { encodeBool } from '../../../../formats/cdr/index.ts';
import type { Claim } from '../judge.ts';
import { bounded, draw, frozen, type Inflict, letGo, order } from './inflict-kit.ts';
import { BUTTON, STOP_KEY } from './robots.ts';
import type { Stage } from './run-trial.ts';
import { everybodyTries } from './tries.ts';

const { execution } = METHODS;

function estop(engage: (stage: Stage) => void): Inflict {
  return async (stage) => {
    const fromMs = stage.daemon.nowMs;
    engage(stage);
    // Those who asked go on asking, and others begin.
    const stopTrying = everybodyTries(stage);
    const claim = await bounded(stage, fromMs, fromMs + 3_000);
    stopTrying();
    return claim;
  };
}

/** A key that is held for long after a stop, milliseconds. */
export const HELD_MS = 4_000;

/** The emergency stop, and its release a little later. */
export async function pressedAndReleased(stage: Stage): Promise<void> {
  const { daemon, trial } = stage;
  order(stage, execution.estopEngage, { source: 'api', by: 'max', reason: '' });
  await daemon.run(600 + 2_400 * trial.random.float());
  order(stage, execution.estopRelease, { source: 'api', by: 'bert', reason: '' });
  // A slow disk has to have it first.
  for (let waited = 0; daemon.execution.safety.latch.engaged && waited < 2_000; waited++) {
    await daemon.run(5);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Stops by every way, and the faults that may undo them. */
export const STOPS: Readonly<Record<string, Inflict>> = {
  'stop.robot': async (stage) => {
    letGo(stage);
    const fromMs = stage.daemon.nowMs;
    const { robot, motion } = stage.trial;
    if (robot === 'arm' && motion !== 'controller') order(stage, execution.armStop, { reason: 'stop' });
    else order(stage, execution.robotStop, { reason: 'stop', role: 'teleoperation' });
    return bounded(stage, fromMs);
  },
  'stop.held': async (stage) => {
    const fromMs = stage.daemon.nowMs;
    if (draw(stage)) order(stage, execution.robotStop, { reason: 'stop', role: 'agent', by: 'agent-7' });
    else order(stage, execution.robotStop, { reason: 'stop', role: 'teleoperation', by: 'max' });
    return bounded(stage, fromMs, fromMs + HELD_MS);
  },
  'estop.held': async (stage) => {
    const fromMs = stage.daemon.nowMs;
    await pressedAndReleased(stage);
    void stage.hand!.take();
    return bounded(stage, fromMs, stage.daemon.nowMs + HELD_MS);
  },
  'stop.run': async (stage) => {
    letGo(stage);
    const fromMs = stage.daemon.nowMs;
    order(stage, execution.robotStop, { reason: 'the run ends', run: 'run-7' });
    return bounded(stage, fromMs);
  },
  'estop.api': estop((stage) =>
    order(stage, execution.estopEngage, { source: 'api', by: 'max', reason: '' }),
  ),
  'estop.file': estop(({ daemon }) => writeFileSync(daemon.stopFile, 'by hand\n')),
  'estop.topic': estop(({ daemon }) => {
    const { topic, type } = BUTTON;
    daemon.world.say({ topic, type, stamp: 0n, received: 0n, bytes: encodeBool(true) });
  }),
  'estop.key': estop(({ daemon }) => daemon.execution.put(STOP_KEY, 'by hand')),
  'estop.empty': estop(({ daemon }) => writeFileSync(daemon.stopFile, '')),
  'estop.released': pressedAgain,
  'estop.killed': async (stage) => {
    const { daemon } = stage;
    // Nothing can be written beside the state of the stop, as where the disk is full.
    if (draw(stage)) mkdirSync(join(daemon.dataDir, 'safety', 'estop.json.tmp'), { recursive: true });
    const fromMs = daemon.nowMs;
    let isAnswered = false;
    daemon.api
      .post('', execution.estopEngage, { source: 'api', by: 'max', reason: '' })
      .finally(() => {
        isAnswered = true;
      })
      .catch(() => {});
    const stopTrying = everybodyTries(stage);
    // Whoever was answered relies on it. The disk works in real time: where it is slow, virtual time waits for it.
    for (let waited = 0; !isAnswered && waited < 6_000; waited += 5) {
      await daemon.run(5);
      if (waited >= 1_000) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (!isAnswered) throw new Error('the emergency stop was not answered');
    await daemon.run(500 * stage.trial.random.float());
    daemon.killExecution();
    const claim = await bounded(stage, fromMs, daemon.nowMs + 4_000);
    stopTrying();
    return claim;
  },
  'estop.frozen': async (stage) => {
    const { daemon } = stage;
    const life = daemon.execution;
    await frozen(
      stage,
      () => life.freeze(),
      () => life.thaw(draw(stage), draw(stage)),
      () => {
        if (draw(stage)) order(stage, execution.estopEngage, { source: 'api', by: 'max', reason: '' });
        else writeFileSync(daemon.stopFile, 'by hand\n');
      },
    );
    // A process that is frozen hears nothing: its time begins when it wakes up.
    const fromMs = daemon.nowMs;
    const stopTrying = everybodyTries(stage);
    const claim = await bounded(stage, fromMs, fromMs + 2_500);
    stopTrying();
    return claim;
  },
};

/** Stops a robot at once, by any way but the file, which is seen later. */
function press(stage: Stage, by: string, apiToo = true): void {
  const { daemon, trial } = stage;
  const { topic, type } = BUTTON;
  const ways = [
    () => daemon.world.say({ topic, type, stamp: 0n, received: 0n, bytes: encodeBool(true) }),
    () => daemon.execution.put(STOP_KEY, by),
    () => order(stage, execution.estopEngage, { source: 'console', by, reason: '' }),
  ];
  trial.random.pick(apiToo ? ways : ways.slice(0, 2))();
}

/** One person presses, one releases what was seen, one presses again: in this order or just after the release was sent. */
async function pressedAgain(stage: Stage): Promise<Claim> {
  const { daemon, trial } = stage;
  const { random } = trial;
  const fromMs = daemon.nowMs;
  press(stage, 'max');
  const stopTrying = everybodyTries(stage);
  // What was said on a topic or at a key a second ago may still be said: then nobody could release it anyway.
  await daemon.run(1_050 + 1_000 * random.float());
  const { press: seen } = (await asked(stage, execution.estopState)) as EStopState;
  const release = () => order(stage, execution.estopRelease, { source: 'api', by: 'bert', press: seen });
  const releaseFirst = random.float() < 0.3;
  // An API that is frozen for longer is killed, and the release with it.
  const laterMs = (releaseFirst ? 350 : 1_000) * random.float();
  if (releaseFirst) {
    // It is still on its way: the API is frozen, the button is not.
    daemon.api.process.freeze();
    release();
  }
  await daemon.run(laterMs);
  // By the API it would come behind the release, which then was right.
  press(stage, 'carl', !releaseFirst);
  // Within a second of a topic or a key nobody releases it anyway.
  await daemon.run(releaseFirst ? 1_050 + 200 * random.float() : 2_000 * random.float());
  if (releaseFirst) daemon.api.process.thaw(draw(stage));
  else release();
  const claim = await bounded(stage, fromMs, daemon.nowMs + 3_000);
  stopTrying();
  return claim;
}

/** The answer to a question, in virtual time. */
async function asked({ daemon }: Stage, call: string): Promise<unknown> {
  let answer: unknown;
  const answered = daemon.api.post('', call as CallName, {}).then((value) => {
    answer = value;
  });
  for (let waited = 0; answer === undefined && waited < 5_000; waited += 5) await daemon.run(5);
  await answered;
  return answer;
}
