import { FREEZE_LOOK_MS, LIMITS, METHODS } from '../../../../contract/index.ts';
import type { Claim } from '../judge.ts';
import { bounded, draw, frozen, type Inflict, letGo, order, stopSomehow, TAIL_MS } from './inflict-kit.ts';
import { RUNS_FAULTS } from './inflict-runs.ts';
import { STOPS } from './inflict-stops.ts';
import type { Manner } from './policies.ts';
import type { Stage } from './run-trial.ts';
import { takeOver } from './takeover.ts';
import { tries } from './tries.ts';

const { execution } = METHODS;
/** A cell that was frozen for longer ends what it moved: the last command of a hand, and a motion. Milliseconds. */
const HAND_ENDS_MS = LIMITS.COMMAND_EXPIRY_MS + FREEZE_LOOK_MS;
const MOTION_ENDS_MS = LIMITS.FROZEN_MS + 2 * FREEZE_LOOK_MS;

/** Makes the fault of the trial, goes on to the end of what is judged, and says what had to hold. */
export function inflict(stage: Stage): Promise<Claim> {
  const { id } = stage.trial.fault;
  const make = FAULTS[id] ?? (id.startsWith('policy.') ? policy(id.slice(7) as Manner) : undefined);
  if (!make) throw new Error(`nobody knows how to make ${id}`);
  return make(stage);
}

function policy(manner: Manner): Inflict {
  return async (stage) => {
    const { daemon, trial } = stage;
    const fromMs = daemon.nowMs;
    daemon.policies.lateMs = 1_500 + 8_500 * trial.random.float();
    daemon.policies.manner = manner;
    return bounded(stage, fromMs, manner === 'late' ? fromMs + 12_000 : fromMs);
  };
}

const FAULTS: Readonly<Record<string, Inflict>> = {
  ...STOPS,
  ...RUNS_FAULTS,
  'runs.host.freeze': hostFreeze,
  'runs.link.cut': (stage) => linkLost(stage, 'cut'),
  'execution.kill': async (stage) => {
    letGo(stage);
    const fromMs = stage.daemon.nowMs;
    stage.daemon.killExecution();
    return bounded(stage, fromMs, fromMs + 4_000);
  },
  'execution.freeze': async (stage) => {
    const { daemon, trial } = stage;
    const fromMs = daemon.nowMs;
    letGo(stage);
    const life = daemon.execution;
    await frozen(
      stage,
      () => life.freeze(),
      () => life.thaw(draw(stage), draw(stage)),
    );
    // A blink is no fault that ends a motion: it is judged up to its end.
    const untilMs = daemon.nowMs;
    const endsMotion = trial.lastsMs > (trial.motion === 'teleop' ? HAND_ENDS_MS : MOTION_ENDS_MS);
    if (endsMotion) return bounded(stage, fromMs, untilMs + TAIL_MS);
    const { commandsMs, restMs } = trial.bound;
    return {
      // In the turn in which it wakes up it goes on.
      ...{ faultAtMs: fromMs, endMs: untilMs - 1 },
      ...(commandsMs! < trial.lastsMs ? { quietFromMs: fromMs + commandsMs! } : {}),
      ...(restMs! < trial.lastsMs ? { restByMs: fromMs + restMs! } : {}),
    };
  },
  'control.kill': async (stage) => {
    letGo(stage);
    const fromMs = stage.daemon.nowMs;
    stage.daemon.execution.killThread('control');
    return bounded(stage, fromMs);
  },
  'control.hang': async (stage) => {
    const fromMs = stage.daemon.nowMs;
    letGo(stage);
    const { execution: life } = stage.daemon;
    await frozen(
      stage,
      () => life.freezeThread('control'),
      () => life.thawThread('control', draw(stage)),
    );
    return bounded(stage, fromMs, stage.daemon.nowMs + TAIL_MS);
  },
  'controllers.hang': async (stage) => {
    const fromMs = stage.daemon.nowMs;
    letGo(stage);
    const { execution: life } = stage.daemon;
    await frozen(
      stage,
      () => life.freezeThread('controllers'),
      () => life.thawThread('controllers', draw(stage)),
    );
    return bounded(stage, fromMs, stage.daemon.nowMs + TAIL_MS);
  },
  'runtime.kill': async (stage) => {
    letGo(stage);
    const fromMs = stage.daemon.nowMs;
    stage.daemon.killApi();
    return bounded(stage, fromMs, fromMs + 3_000);
  },
  'runtime.freeze': runtimeFreeze,
  'runtime.blink': runtimeFreeze,
  'host.freeze': hostFreeze,
  'robot.freeze': async (stage) => {
    const { daemon } = stage;
    await frozen(
      stage,
      () => daemon.world.process.freeze(),
      () => daemon.world.process.thaw(draw(stage)),
      () => {
        letGo(stage);
        stopSomehow(stage);
      },
    );
    // While it is frozen it obeys nothing and measures nothing: its time begins when it wakes up.
    return bounded(stage, daemon.nowMs);
  },
  'link.robot.cut': (stage) => linkLost(stage, 'cut'),
  'link.robot.silent': (stage) => linkLost(stage, 'silent'),
  'link.person': async (stage) => {
    const fromMs = stage.daemon.nowMs;
    stage.hand!.linkLost = true;
    return bounded(stage, fromMs, fromMs + stage.hand!.ttlMs + TAIL_MS);
  },
  takeover: takeOver,
  'lease.expires': async (stage) => {
    const { daemon, hand } = stage;
    hand!.renews = false;
    // What was on its way still renews it.
    await daemon.run(1);
    const endsMs = hand!.renewedMs + hand!.ttlMs;
    await daemon.run(endsMs - daemon.nowMs);
    return bounded(stage, endsMs);
  },
  'lease.returned': async (stage) => {
    const fromMs = stage.daemon.nowMs;
    stage.hand!.giveBack();
    return bounded(stage, fromMs);
  },
  'lease.taken': async (stage) => {
    const { daemon } = stage;
    const fromMs = daemon.nowMs;
    order(stage, execution.leaseTake, { role: 'central', holder: 'central/tower', ttlMs: 60_000 });
    return bounded(stage, fromMs);
  },
  'hand.wild': async (stage) => {
    const { daemon, hand, trial } = stage;
    const fromMs = daemon.nowMs;
    hand!.steers = false;
    const wild = [1e30, -101, Number.NaN, Number.POSITIVE_INFINITY, '0.5', null, [0.4]];
    const sends = daemon.host.every(40, () => {
      const value = trial.random.pick(wild);
      const twist = draw(stage) ? { linear: value, angular: 0 } : { linear: 0, angular: value };
      hand!.command(trial.robot === 'arm' ? { joints: { joint_1: value } } : { twist });
    });
    const claim = await bounded(stage, fromMs, fromMs + 3_000);
    sends.cancel();
    return claim;
  },
  'lidar.blind': async (stage) => {
    const { daemon, trial, simulation } = stage;
    const halfWidth = ((30 + 150 * trial.random.float()) * Math.PI) / 180;
    simulation!.blindLidar({ centre: 2 * Math.PI * trial.random.float(), halfWidth });
    const fromMs = daemon.nowMs;
    const claim = await bounded(stage, fromMs, fromMs + 15_000);
    return { ...claim, noCollisions: true };
  },
  'senses.silent': async (stage) => {
    const { daemon } = stage;
    const fromMs = daemon.nowMs;
    const silent = new Set(['/scan', '/odom', '/joint_states']);
    daemon.world.sense = (samples) => samples.filter(({ topic }) => !silent.has(topic));
    return bounded(stage, fromMs);
  },
  'clock.steps': async (stage) => {
    const { daemon, trial } = stage;
    const stepMs = 200 * (3_600_000 / 200) ** trial.random.float();
    daemon.host.jumpWall(BigInt(Math.round((draw(stage) ? stepMs : -stepMs) * 1e6)));
    await daemon.run(500);
    letGo(stage);
    const fromMs = daemon.nowMs;
    stopSomehow(stage);
    return bounded(stage, fromMs);
  },
  'route.tries': (stage) => tries(stage, 'route'),
  'play.tries': (stage) => tries(stage, 'play'),
};

async function hostFreeze(stage: Stage): Promise<Claim> {
  const { daemon } = stage;
  const fromMs = daemon.nowMs;
  letGo(stage);
  const [life, api] = [daemon.execution, daemon.api.process];
  const others = [daemon.supervisor, api];
  await frozen(
    stage,
    () => {
      for (const one of others) one.freeze();
      life.freeze();
    },
    () => {
      const mailFirst = draw(stage);
      const lifeFirst = draw(stage);
      if (lifeFirst) life.thaw(mailFirst, draw(stage));
      for (const one of others) one.thaw(mailFirst);
      if (!lifeFirst) life.thaw(mailFirst, draw(stage));
    },
  );
  return bounded(stage, fromMs, daemon.nowMs + TAIL_MS);
}

/** A hand goes on for a moment: what it sends lies in the socket, and is read when the process wakes up. */
async function runtimeFreeze(stage: Stage): Promise<Claim> {
  const { daemon } = stage;
  const fromMs = daemon.nowMs;
  const api = daemon.api.process;
  if (!stage.hand) letGo(stage);
  else daemon.host.after(150, () => letGo(stage));
  await frozen(
    stage,
    () => api.freeze(),
    () => api.thaw(draw(stage)),
  );
  return bounded(stage, fromMs, daemon.nowMs + TAIL_MS);
}

/** Judged until the link is there again: what was asked for then goes on, or not. */
async function linkLost(stage: Stage, how: 'cut' | 'silent'): Promise<Claim> {
  const { daemon, trial } = stage;
  const fromMs = daemon.nowMs;
  const { link } = daemon.execution;
  link.break(how);
  await daemon.run(trial.lastsMs);
  const endMs = daemon.nowMs;
  link.mend();
  await daemon.run(500);
  const { commandsMs, restMs } = trial.bound;
  return {
    ...{ faultAtMs: fromMs, endMs },
    ...(commandsMs === undefined ? {} : { quietFromMs: fromMs + commandsMs }),
    ...(restMs === undefined || restMs > trial.lastsMs ? {} : { restByMs: fromMs + restMs }),
  };
}
