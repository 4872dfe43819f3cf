import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LeaseView } from '../../../../contract/index.ts';
import { auraisonAsync, until } from '../../daemon.ts';
import { descendants, isRosHost, simHostPid } from '../../processes.ts';
import { boundOf } from '../bounds.ts';
import { waitOfCommand } from './host-lateness.ts';
import { PRESSES, pressApi } from './press-api.ts';
import { ROBOT_NAME, wait } from './real-stage.ts';
import type { Made, RealTrial } from './real-trials.ts';
import { hostMs } from './sim-record.ts';

type Make = (all: RealTrial) => Promise<Made>;

/** Makes the fault of this trial and says from when its bound counts. */
export function makeFault(all: RealTrial): Promise<Made> {
  const make = FAULTS[all.trial.fault.id];
  if (!make) throw new Error(`nobody knows how to make ${all.trial.fault.id}`);
  return make(all);
}

function kill(pid: number): void {
  process.kill(pid, 'SIGKILL');
}

function cell(name: string, how: (pid: number, all: RealTrial) => Promise<void> | void): Make {
  return async (all) => {
    const pid = await all.stage.daemon.pidOf(name);
    const fromMs = hostMs();
    // A hand lets go as the line does: what it has sent lies in sockets.
    setTimeout(() => all.mover.end(), 120);
    await how(pid, all);
    return { fromMs };
  };
}

async function freeze(pid: number, { trial }: RealTrial): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    await wait(trial.lastsMs);
  } finally {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // The supervisor found it silent, and killed it.
    }
  }
}

/** A request as no client of ours would make it. */
async function estopWith({ trial, stage }: RealTrial): Promise<Made> {
  const fromMs = hostMs();
  await pressApi(stage.daemon, trial.random.pick(PRESSES));
  return { fromMs };
}

const FAULTS: Readonly<Record<string, Make>> = {
  'daemon.execution.kill': cell('execution', kill),
  'daemon.execution.freeze': cell('execution', freeze),
  'daemon.runtime.kill': cell('runtime', kill),
  'daemon.runtime.freeze': cell('runtime', freeze),
  'daemon.supervisor.freeze': async (all) => {
    const fromMs = hostMs();
    setTimeout(() => all.mover.end(), 120);
    await freeze(all.stage.daemon.child.pid, all);
    return { fromMs };
  },
  'daemon.supervisor.kill': async ({ stage, mover }) => {
    mover.end();
    const fromMs = hostMs();
    kill(stage.daemon.child.pid);
    return { fromMs, endsDaemon: true };
  },
  'daemon.others.kill': async ({ stage }) => {
    // The link is a process only where there is a central.
    const { cells } = await stage.daemon.status();
    const link = cells.flatMap(({ name, pid }) => (name === 'link' && pid !== undefined ? [pid] : []));
    const pids = [await stage.daemon.pidOf('memory'), ...link];
    const fromMs = hostMs();
    pids.forEach(kill);
    return { fromMs };
  },
  'daemon.robot.freeze': async (all) => {
    const { stage, mover, lateness } = all;
    const pid = simHostPid(stage.daemon.child.pid)!;
    setTimeout(() => {
      mover.end();
      stage.daemon.api.post('/v1/robot/stop', {}).catch(() => {});
    }, 100);
    await freeze(pid, all);
    lateness.restart();
    return { fromMs: hostMs() };
  },
  'daemon.ros-host.kill': async ({ stage, mover }) => {
    const [host] = descendants(stage.daemon.child.pid).filter(isRosHost);
    mover.end();
    const fromMs = hostMs();
    kill(host!.pid);
    return { fromMs };
  },
  'daemon.program.kill': async ({ mover }) => {
    const fromMs = hostMs();
    kill(mover.pid!);
    return { fromMs };
  },
  'daemon.program.freeze': async (all) => {
    const { mover } = all;
    const fromMs = hostMs();
    const freezing = freeze(mover.pid!, all);
    // When it wakes up it may send what it was about to send, under the lease that it had.
    mover.end();
    await freezing;
    return { fromMs };
  },
  'daemon.takeover': async ({ stage, trial, mover }) => {
    const { api } = stage.daemon;
    const lease = await until(
      () => api.post<LeaseView>('/v1/lease', { ttl_ms: 2_000 }).catch(() => undefined),
      'the person has the robot',
    );
    const fromMs = hostMs();
    const times = 5 + trial.random.int(10);
    for (let i = 0; i < times; i++) {
      await api.post('/v1/teleop', { lease_id: lease.lease_id, twist: { linear: 0, angular: 0.5 } });
      await wait(60);
    }
    if (trial.motion === 'python') {
      // What a program asks for after the person is its right.
      mover.end();
      await wait(400);
    }
    await api.post('/v1/lease/return', { lease_id: lease.lease_id });
    const { restMs } = boundOf('expired', trial.robot);
    await wait(restMs! + 1_000);
    const isTheirs = ({ values }: { readonly values: readonly number[] }) =>
      values[0] === 0 && values[1]! >= 0;
    // The run is paused and stays so: nothing of it moves the robot.
    return { fromMs, taken: { fromMs, isTheirs } };
  },
  'daemon.lease.lost': async ({ mover }) => {
    mover.end();
    return { fromMs: hostMs() };
  },
  'daemon.stop.api': async ({ stage, mover }) => {
    mover.end();
    const fromMs = hostMs();
    await stage.daemon.api.post(stage.stopPath, {}).catch(() => {});
    return { fromMs };
  },
  'daemon.estop.api': estopWith,
  'daemon.estop.file': async ({ stage }) => {
    const fromMs = hostMs();
    writeFileSync(join(stage.daemon.dataDir, 'estop'), 'by hand\n');
    return { fromMs };
  },
  'daemon.estop.topic': async ({ stage, lateness }) => {
    await stage.peer!('ros_estop.py', '/emergency_stop').line<{ said: boolean }>((line) => line.said, 60_000);
    lateness.restart();
    return { fromMs: hostMs() };
  },
  'daemon.estop.key': async ({ stage }) => {
    const fromMs = hostMs();
    await (await stage.keys!()).put(`${ROBOT_NAME}/estop`, new TextEncoder().encode('by hand'));
    return { fromMs };
  },
  'daemon.estop.cli': async ({ stage }) => {
    const { dataDir } = stage.daemon;
    let waited = () => 0;
    const fromMs = hostMs();
    const pressed = auraisonAsync(['estop', '--data-dir', dataDir], {}, (pid) => {
      waited = waitOfCommand(pid, join(dataDir, 'estop'));
    });
    const { status } = await pressed;
    if (status !== 0) throw new Error(`auraison estop ended with ${status}`);
    return { fromMs, hostLateMs: waited() };
  },
};
