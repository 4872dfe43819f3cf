import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdgeError } from '../../contract/core.ts';
import type { RosOptions } from './options.ts';

export type RosPlace = { readonly rclnodejs: string; readonly env: Record<string, string> };

const here = dirname(fileURLToPath(import.meta.url));

/**
 * Finds ROS and rclnodejs, and makes the environment of the host process. Throws `ros.unavailable` naming
 * what is missing; whether it can be loaded is found out by the host, since trying may crash.
 */
export function locateRos(options: RosOptions, environment: NodeJS.ProcessEnv = process.env): RosPlace {
  const env: Record<string, string> = {};
  for (const [key, value] of Object.entries({ ...environment, ...options.env })) {
    if (value !== undefined) env[key] = value;
  }
  const prefixes = (env['AMENT_PREFIX_PATH'] ?? '').split(delimiter).filter((prefix) => prefix !== '');
  if (prefixes.length === 0) {
    throw missing(
      'AMENT_PREFIX_PATH',
      'no ROS 2 installation is sourced',
      'source the setup.bash of your ROS 2 installation before starting the daemon, or run without ROS',
    );
  }
  const found = prefixes.find((prefix) => existsSync(join(prefix, 'lib', 'librcl.so')));
  if (found === undefined) {
    throw missing(
      prefixes.join(delimiter),
      'AMENT_PREFIX_PATH contains no ROS 2 installation: lib/librcl.so was not found',
      'source the setup.bash of your ROS 2 installation again',
    );
  }
  const rclnodejs = options.rclnodejs ?? env['AURAISON_RCLNODEJS'] ?? installedPackage();
  if (rclnodejs === undefined || !existsSync(join(rclnodejs, 'package.json'))) {
    throw missing(
      rclnodejs ?? 'rclnodejs',
      'the package rclnodejs is not installed',
      'npm install rclnodejs@2.2.0, or set AURAISON_RCLNODEJS to its folder',
    );
  }
  // The loader reads this variable once, when a process starts: it cannot be set later.
  env['LD_LIBRARY_PATH'] ??= prefixes.map((prefix) => join(prefix, 'lib')).join(delimiter);
  if (
    env['FASTRTPS_DEFAULT_PROFILES_FILE'] === undefined &&
    env['FASTDDS_DEFAULT_PROFILES_FILE'] === undefined
  ) {
    const profile = join(here, 'fastdds-profile.xml');
    env['FASTRTPS_DEFAULT_PROFILES_FILE'] = profile;
    env['FASTDDS_DEFAULT_PROFILES_FILE'] = profile;
  }
  return { rclnodejs, env };
}

/** The dependency of this repository or of the package it was installed as. */
function installedPackage(): string | undefined {
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', 'rclnodejs');
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return undefined;
  }
}

function missing(subject: string, message: string, hint: string): EdgeError {
  return new EdgeError('ros.unavailable', { operation: 'find ROS 2', subject, message, hint });
}
