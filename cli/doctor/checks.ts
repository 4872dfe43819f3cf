import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import { locateRos } from '../../adapters/ros/locate.ts';
import { chooseDriver } from '../../adapters/zenoh/open-key-space.ts';
import { EdgeError } from '../../contract/core.ts';
import { driveModelPath } from '../../daemon/compose/policy.ts';
import { driverOptions } from '../../daemon/compose/zenoh-options.ts';
import type { Settings } from '../../daemon/settings.ts';
import { bytes } from '../output.ts';

export type Check = {
  readonly name: string;
  /** `ok`; `absent`: an optional part is not there and the daemon runs without; `bad`: has to be fixed. */
  readonly state: 'ok' | 'absent' | 'bad';
  readonly detail: string;
  readonly fix: string;
};

const ok = (name: string, detail: string): Check => ({ name, state: 'ok', detail, fix: '' });

export function checkNode(): Check {
  const major = Number(process.versions.node.split('.')[0]);
  return major >= 24
    ? ok('node', process.version)
    : {
        name: 'node',
        state: 'bad',
        detail: `${process.version} runs this; 24 is needed`,
        fix: 'use bin/auraison or npm start, which bring their own',
      };
}

/** Free space, and the time of a durable write: every acknowledgement waits for one. */
export function checkDataDir({ dataDir, config }: Settings): Check {
  try {
    mkdirSync(dataDir, { recursive: true });
    const { bavail, bsize } = statfsSync(dataDir);
    const free = bavail * bsize;
    const path = join(dataDir, '.doctor');
    const fd = openSync(path, 'w');
    const begin = performance.now();
    for (let i = 0; i < 5; i++) {
      writeSync(fd, 'x'.repeat(4096));
      fdatasyncSync(fd);
    }
    const syncMs = (performance.now() - begin) / 5;
    closeSync(fd);
    rmSync(path);
    const detail = `${dataDir}: ${bytes(free)} free, a durable write takes ${syncMs.toFixed(1)} ms`;
    if (free < config.recorder.free_space_floor)
      return {
        name: 'data',
        state: 'bad',
        detail,
        fix: `free space: the recorder keeps ${bytes(config.recorder.free_space_floor)}`,
      };
    return ok('data', detail);
  } catch (error) {
    return {
      name: 'data',
      state: 'bad',
      detail: `${dataDir}: ${(error as Error).message}`,
      fix: 'set daemon.data_dir to a directory this user may write',
    };
  }
}

export function checkRos(): Check {
  try {
    const place = locateRos({});
    return ok('ros', `ROS 2 is sourced; rclnodejs in ${place.rclnodejs}`);
  } catch (error) {
    const fault = EdgeError.from(error, 'ros.unavailable', 'doctor', 'ros');
    return { name: 'ros', state: 'absent', detail: fault.message, fix: fault.hint };
  }
}

/** Which driver the daemon would take now, and why. */
export async function checkZenoh({ config }: Settings): Promise<Check> {
  const choice = await chooseDriver(driverOptions(config.zenoh), new SystemClock());
  if (choice.driver === 'none')
    return { name: 'zenoh', state: 'absent', detail: choice.why, fix: choice.fix };
  const about = `${choice.driver} driver, ${choice.why}`;
  if (choice.driver !== 'native') return ok('zenoh', about);
  return checkZenohMemory(config.zenoh.shared_memory, about);
}

/** The pool is allocated at first use: a /dev/shm that is too small shows only under load. */
function checkZenohMemory(pool: number, about: string): Check {
  if (pool === 0) return ok('zenoh', `${about}; no shared memory (zenoh.shared_memory)`);
  const free = existsSync('/dev/shm') ? statfsSync('/dev/shm') : { bavail: 0, bsize: 0 };
  const mib = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;
  const memory = `shared memory ${mib(pool)} of ${mib(free.bavail * free.bsize)} free in /dev/shm`;
  if (free.bavail * free.bsize > pool) return ok('zenoh', `${about}; ${memory}`);
  const fix = 'enlarge /dev/shm (containers: --shm-size), or lower zenoh.shared_memory';
  return { name: 'zenoh', state: 'absent', detail: `${about}; ${memory}`, fix };
}

export async function checkPolicy(settings: Settings): Promise<Check> {
  try {
    const policy = await OnnxPolicy.load(driveModelPath(settings.config), new SystemClock());
    const { name, hash } = policy.describe();
    await policy.close();
    return ok('policy', `ONNX network "${name}" ${hash.slice(0, 12)} loads`);
  } catch (error) {
    const fault = EdgeError.from(error, 'model.unavailable', 'doctor', 'policy');
    return { name: 'policy', state: 'bad', detail: fault.message, fix: fault.hint };
  }
}

/** Whether stamps can be compared with those of other hosts. */
export function checkClock(): Check {
  const chrony = spawnSync('chronyc', ['-c', 'tracking'], { encoding: 'utf8', timeout: 2_000 });
  if (chrony.status === 0)
    return ok('clock', `chrony: ${Number(chrony.stdout.split(',')[4]).toFixed(6)} s from its reference`);
  const timed = spawnSync('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
    encoding: 'utf8',
    timeout: 2_000,
  });
  if (timed.status === 0 && timed.stdout.trim() === 'yes') return ok('clock', 'synchronised, says systemd');
  return {
    name: 'clock',
    state: 'absent',
    detail: 'no sign of a synchronised clock',
    fix: 'install chrony; stamps of several hosts cannot be compared otherwise',
  };
}

/** Frames of 1 MB need shared memory on both ends, else Fast DDS drops most of them. */
export function checkSharedMemory(): Check {
  if (!existsSync('/dev/shm'))
    return {
      name: 'shm',
      state: 'absent',
      detail: 'no /dev/shm',
      fix: 'mount a tmpfs there for large ROS messages',
    };
  const { bavail, bsize } = statfsSync('/dev/shm');
  const free = bavail * bsize;
  if (free < 64 * 2 ** 20)
    return {
      name: 'shm',
      state: 'bad',
      detail: `/dev/shm has ${bytes(free)} free`,
      fix: 'give it at least 64 MB for large ROS messages',
    };
  return ok('shm', `/dev/shm has ${bytes(free)} free`);
}

export function checkService(): Check {
  // Installed by the command, or by a package of the distribution.
  const places = ['/etc/systemd/system', '/usr/lib/systemd/system'].map((d) => `${d}/auraison-edge.service`);
  const unit = places.find((path) => existsSync(path));
  if (unit === undefined)
    return {
      name: 'service',
      state: 'absent',
      detail: 'not installed as a systemd service',
      fix: 'sudo auraison service install',
    };
  const { stdout } = spawnSync('systemctl', ['is-active', 'auraison-edge'], {
    encoding: 'utf8',
    timeout: 2_000,
  });
  const line =
    readFileSync(unit, 'utf8')
      .split('\n')
      .find((l) => l.startsWith('ExecStart=')) ?? '';
  return ok('service', `${(stdout ?? '').trim() || 'installed'}; ${line}`);
}
