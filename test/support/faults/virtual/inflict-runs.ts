import { existsSync, writeFileSync } from 'node:fs';
import { LIMITS, METHODS } from '../../../../contract/index.ts';
import { encodeBool } from '../../../../formats/cdr/index.ts';
import type { Claim } from '../judge.ts';
import { isHand } from '../motions.ts';
import { Hand } from './askers.ts';
import { AttachedClient, type AttachedKind, ELSEWHERE, STEERS } from './attached.ts';
import { BOOT_MS } from './daemon.ts';
import { STEER_KEY } from './execution.ts';
import { FarRuntime } from './far-runtime.ts';
import { bounded, draw, frozen, type Inflict, letGo, order, TAIL_MS } from './inflict-kit.ts';
import { HELD_MS, pressedAndReleased } from './inflict-stops.ts';
import { Publisher } from './publisher.ts';
import { BUTTON, STOP_KEY } from './robots.ts';
import type { Stage } from './run-trial.ts';
import { takeOver } from './takeover.ts';
import { everybodyTries, strangeSample } from './tries.ts';
import { isRunAsker, OverBroker, webhookMessage } from './ways.ts';

const { execution } = METHODS;
/** What was asked for until now has reached the runtime by then, milliseconds. */
const ARRIVES_MS = 60;
const TRIES_MS = 4_000;
const FORGED_EVERY_MS = 100;
const ROUTED_EVERY_MS = 40;

/** No new run is asked for; those that there are go on, and so do their agents. */
async function endIntents({ asker, daemon }: Stage): Promise<void> {
  if (isRunAsker(asker)) asker.endIntents();
  await daemon.run(ARRIVES_MS);
}

/** Waits in virtual time; where the disk is slow, for real. */
async function answered(stage: Stage, work: Promise<unknown>, what: string): Promise<void> {
  let isAnswered = false;
  work
    .finally(() => {
      isAnswered = true;
    })
    .catch(() => {});
  for (let waited = 0; !isAnswered && waited < 6_000; waited += 5) {
    await stage.daemon.run(5);
    if (waited >= 1_000) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (!isAnswered) throw new Error(`${what} was not answered`);
}

/** A stop that the disk does not have yet is not kept. The disk is a real one, which virtual time can overtake. */
async function kept({ daemon }: Stage): Promise<void> {
  const untilMs = performance.now() + 20_000;
  while (!existsSync(daemon.keptStop)) {
    if (performance.now() > untilMs) throw new Error('the emergency stop is in no file');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** By the button, or in words to one of the runs: in turns. */
const stopRuns = ({ daemon, trial }: Stage) =>
  daemon.api.ask((runtime) =>
    trial.number % 2 === 0 ? runtime.stopRobot('stop') : runtime.sayToRuns('STOP! please'),
  );

function engage(stage: Stage): Promise<unknown> {
  const { daemon, trial } = stage;
  const { topic, type } = BUTTON;
  const ways = [
    () => daemon.api.post('', execution.estopEngage, { source: 'api', by: 'max', reason: '' }),
    async () => writeFileSync(daemon.stopFile, 'by hand\n'),
    async () => daemon.world.say({ topic, type, stamp: 0n, received: 0n, bytes: encodeBool(true) }),
    async () => daemon.execution.put(STOP_KEY, 'by hand'),
  ];
  return trial.random.pick(ways)();
}

export const RUNS_FAULTS: Readonly<Record<string, Inflict>> = {
  'runs.stop': async (stage) => {
    if (isHand(stage.trial.motion)) {
      letGo(stage);
      const fromMs = stage.daemon.nowMs;
      order(stage, execution.robotStop, { reason: 'stop', role: 'teleoperation' });
      return bounded(stage, fromMs);
    }
    await endIntents(stage);
    const fromMs = stage.daemon.nowMs;
    stopRuns(stage).catch(() => {});
    return bounded(stage, fromMs, fromMs + 3_000);
  },
  'runs.cancel': async (stage) => {
    await endIntents(stage);
    const fromMs = stage.daemon.nowMs;
    stage.daemon.api.ask((runtime) => runtime.cancelAll('it is over')).catch(() => {});
    return bounded(stage, fromMs, fromMs + 3_000);
  },
  'runs.stop-killed': async (stage) => {
    const { daemon, trial } = stage;
    await endIntents(stage);
    const fromMs = daemon.nowMs;
    await answered(stage, stopRuns(stage), 'the stop');
    await daemon.run(300 * trial.random.float());
    daemon.killApi();
    return bounded(stage, fromMs, daemon.nowMs + 4_000);
  },
  'runs.estop': async (stage) => {
    const fromMs = stage.daemon.nowMs;
    engage(stage).catch(() => {});
    const stopTrying = everybodyTries(stage);
    const claim = await bounded(stage, fromMs, fromMs + 3_000);
    stopTrying();
    return claim;
  },
  'runs.estop-killed': async (stage) => {
    const { daemon, trial } = stage;
    const fromMs = daemon.nowMs;
    await answered(stage, engage(stage), 'the emergency stop');
    // A button or a key has no answer; the file is looked for.
    await daemon.run(300 + 500 * trial.random.float());
    await kept(stage);
    if (draw(stage)) daemon.killExecution();
    daemon.killApi();
    return bounded(stage, fromMs, daemon.nowMs + 4_000);
  },
  'runs.takeover': (stage) => takeOver(stage),
  'runs.takeover-killed': (stage) => takeOver(stage, true),
  'runs.execution.kill': async (stage) => {
    letGo(stage);
    const fromMs = stage.daemon.nowMs;
    stage.daemon.killExecution();
    return bounded(stage, fromMs, fromMs + 4_000);
  },
  'runs.runtime.kill': async (stage) => {
    letGo(stage);
    const fromMs = stage.daemon.nowMs;
    stage.daemon.killApi();
    return untilResumed(stage, await bounded(stage, fromMs, fromMs + 4_000), fromMs);
  },
  'runs.runtime.freeze': async (stage) => {
    const { daemon, trial } = stage;
    const fromMs = daemon.nowMs;
    letGo(stage);
    const { process } = daemon.api;
    await frozen(
      stage,
      () => process.freeze(),
      () => process.thaw(draw(stage)),
    );
    const claim = await bounded(stage, fromMs, daemon.nowMs + TAIL_MS);
    return untilResumed(stage, claim, fromMs + Math.min(trial.lastsMs, LIMITS.HEARTBEAT_SILENT_MS));
  },
  'peer.kill': async (stage) => {
    letGo(stage);
    const fromMs = stage.daemon.nowMs;
    peerOf(stage).kill();
    return bounded(stage, fromMs, fromMs + 3_000);
  },
  'peer.freeze': async (stage) => {
    const { daemon, trial } = stage;
    letGo(stage);
    const fromMs = daemon.nowMs;
    const { process } = peerOf(stage);
    process.freeze();
    await daemon.run(trial.lastsMs);
    process.thaw(draw(stage));
    return bounded(stage, fromMs, daemon.nowMs + TAIL_MS);
  },
  'peer.link': async (stage) => {
    const { daemon, trial } = stage;
    await endIntents(stage);
    const far = peerOf(stage) as FarRuntime;
    far.cut();
    await daemon.run(300 * trial.random.float());
    const fromMs = daemon.nowMs;
    stopRuns(stage).catch(() => {});
    await daemon.run(2_000 * trial.random.float());
    far.isOnline = true;
    return bounded(stage, fromMs, daemon.nowMs + 3_000);
  },
  'live.blink': async (stage) => {
    const { daemon } = stage;
    const fromMs = daemon.nowMs;
    const { process } = daemon.api;
    // What it sends meanwhile lies in the pipe, and is read when the process wakes up.
    daemon.host.after(150, () => letGo(stage));
    await frozen(
      stage,
      () => process.freeze(),
      () => process.thaw(draw(stage)),
    );
    return bounded(stage, fromMs, daemon.nowMs + TAIL_MS);
  },
  'attached.held': async (stage) => {
    const fromMs = stage.daemon.nowMs;
    if (draw(stage)) await pressedAndReleased(stage);
    else order(stage, execution.robotStop, { reason: 'stop', role: 'teleoperation', by: 'max' });
    return bounded(stage, fromMs, stage.daemon.nowMs + HELD_MS);
  },
  'law.forbids': async (stage) => {
    const { daemon, trial, asker } = stage;
    const faultAtMs = daemon.nowMs;
    asker!.start();
    await daemon.run(1_000 * trial.random.float());
    trial.random.pick([() => daemon.killApi(), () => daemon.killExecution(), () => {}])();
    return never(stage, faultAtMs, () => asker!.end());
  },
  'law.changes': async (stage) => {
    const { daemon, trial, law } = stage;
    await law!.forbid();
    await daemon.run(300 * trial.random.float());
    const fromMs = daemon.nowMs;
    stopRuns(stage).catch(() => {});
    return bounded(stage, fromMs, fromMs + 4_000);
  },
  'webhook.forged': async (stage) => {
    const { daemon, trial } = stage;
    const faultAtMs = daemon.nowMs;
    let count = 0;
    const sends = daemon.host.every(FORGED_EVERY_MS, () => {
      const forge = trial.random.pick(['secret', 'time', 'body', 'none'] as const);
      const message = webhookMessage(daemon, `forged-${++count}`, -6, forge);
      daemon.api.ask(({ webhooks }) => webhooks.receive(message)).catch(() => {});
    });
    return never(stage, faultAtMs, () => sends.cancel());
  },
  'route.keys': async (stage) => {
    const { daemon, trial, network } = stage;
    const { faultAtMs, end } = await besides(stage);
    const sends = daemon.host.every(ROUTED_EVERY_MS, () => {
      const { topic, type, bytes } = strangeSample(trial.random, daemon.nowMs);
      const encoding = `application/cdr;${type}`;
      void network!.far.put(`${STEER_KEY}${topic}`, bytes, { encoding });
    });
    return never(stage, faultAtMs, () => {
      sends.cancel();
      end();
    });
  },
  'broker.holds': async (stage) => {
    const { daemon, trial, asker } = stage;
    const { random } = trial;
    if (!(asker instanceof OverBroker)) throw new Error('there is no broker');
    const { broker } = await asker.central();
    // Some orders come before it holds, some while it does.
    if (draw(stage)) await asker.post(1 + random.int(2));
    await daemon.run(300 * random.float());
    broker.hold();
    await asker.post(1 + random.int(3));
    await endIntents(stage);
    const at = trial.lastsMs * random.float();
    await daemon.run(at);
    const fromMs = daemon.nowMs;
    stopRuns(stage).catch(() => {});
    await daemon.run(ARRIVES_MS + trial.lastsMs - at);
    broker.release();
    for (let times = 0; times < 3; times++) {
      await daemon.run(1_000 * random.float());
      broker.again((log) => [...log].sort(() => random.float() - 0.5));
    }
    return bounded(stage, fromMs, daemon.nowMs + 4_000);
  },
  'publish.tries': async (stage) => {
    const { daemon, trial } = stage;
    const { faultAtMs, where, end } = await besides(stage);
    const publisher = new Publisher(daemon, trial.random);
    publisher.start();
    if (where === 'after a freeze') {
      await daemon.run(200);
      const { process } = daemon.api;
      process.freeze();
      await daemon.run(300 + 1_200 * trial.random.float());
      process.thaw(draw(stage));
    }
    return never(stage, faultAtMs, () => {
      publisher.end();
      end();
    });
  },
  'publish.takeover': (stage) => takeOver(stage),
  'attached.tries': async (stage) => {
    const { daemon, trial } = stage;
    const { random } = trial;
    const { faultAtMs, where, end } = await besides(stage);
    const client = new AttachedClient(daemon, trial.motion as AttachedKind, {
      takes: where === 'person' || where === 'estop',
      wants: () => (random.float() < 0.5 ? STEERS : random.pick(ELSEWHERE)),
    });
    client.start();
    if (where === 'after a freeze') {
      await daemon.run(200);
      daemon.execution.freeze();
      await daemon.run(300 + 1_200 * random.float());
      daemon.execution.thaw(draw(stage), draw(stage));
    }
    return never(stage, faultAtMs, () => {
      client.end();
      end();
    });
  },
};

/** Nobody has the robot, a person who does nothing has it, or it is stopped, when somebody tries. */
async function besides(stage: Stage) {
  const { daemon, trial } = stage;
  const where = trial.random.pick(['nobody', 'person', 'estop', 'after a freeze'] as const);
  const person = new Hand(daemon, () => ({}));
  person.steers = false;
  if (where === 'person') person.start();
  if (where === 'estop') order(stage, execution.estopEngage, { source: 'api', by: 'max', reason: '' });
  await daemon.run(300);
  return { where, faultAtMs: daemon.nowMs, end: () => person.end() };
}

/** Whoever is at the other end: a foreign runtime, or a client. */
function peerOf({ asker }: Stage): FarRuntime | AttachedClient {
  if (asker instanceof FarRuntime || asker instanceof AttachedClient) return asker;
  throw new Error('nobody is at the other end');
}

/**
 * A move of the arm to a place is asked for again by its run when the runtime cell is there again, unless the arm is there:
 * that motion is meant. A turn is relative and never repeated.
 */
function untilResumed({ trial }: Stage, claim: Claim, goneMs: number): Claim {
  if (trial.robot === 'base' || isHand(trial.motion)) return claim;
  const { restByMs, ...rest } = claim;
  const endMs = goneMs + LIMITS.RESTART_FIRST_MS + BOOT_MS - 1;
  return { ...rest, endMs, ...(restByMs !== undefined && restByMs < endMs ? { restByMs } : {}) };
}

async function never({ daemon }: Stage, faultAtMs: number, end: () => void): Promise<Claim> {
  await daemon.run(TRIES_MS);
  end();
  const endMs = daemon.nowMs;
  return { faultAtMs, endMs, quietFromMs: faultAtMs, restByMs: faultAtMs };
}
