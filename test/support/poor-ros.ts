import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { RosEnv } from '../peers/ros-peer.ts';

/** A ROS installation in `target` that has, by links, all that `from` has but one package. */
export function withoutPackage(from: RosEnv, target: string, pkg: string): RosEnv {
  const prefix = from['AMENT_PREFIX_PATH']!;
  for (const [part, keep] of [
    ['share', (name: string) => name !== pkg],
    ['lib', (name: string) => !name.startsWith(`lib${pkg}`)],
  ] as const) {
    mkdirSync(join(target, part), { recursive: true });
    for (const name of readdirSync(join(prefix, part)).filter(keep))
      symlinkSync(join(prefix, part, name), join(target, part, name));
  }
  if (!existsSync(join(prefix, 'share', pkg))) throw new Error(`${pkg} is not in ${prefix}`);
  const libraries = from['LD_LIBRARY_PATH']!.split(':').map((path) =>
    path === join(prefix, 'lib') ? join(target, 'lib') : path,
  );
  return { ...from, AMENT_PREFIX_PATH: target, LD_LIBRARY_PATH: libraries.join(':') };
}
