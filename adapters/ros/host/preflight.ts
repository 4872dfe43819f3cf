import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HostFault, messageOf } from './fault.ts';
import type { EventClasses, Rclnodejs, Vendor } from './vendor.ts';

/**
 * Where rclnodejs looks for its addon, in its order: the build shipped for this ROS and Ubuntu, then the one built
 * here.
 */
function addonCandidates(folder: string): string[] {
  const built = join(folder, 'build', 'Release', 'rclnodejs.node');
  const distro = process.env['ROS_DISTRO'];
  const codename = ubuntuCodename();
  if (!distro || !codename) return [built];
  const name = `${distro}-${codename}-${process.arch}-node-rclnodejs.node`;
  return [join(folder, 'prebuilds', `${process.platform}-${process.arch}`, name), built];
}

function ubuntuCodename(): string | undefined {
  if (!existsSync('/etc/os-release')) return undefined;
  return /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
}

/**
 * Loads rclnodejs from `folder`, or throws `ros.unavailable` with what is missing. The addon is opened first
 * on its own: when that fails, importing rclnodejs would start a rebuild that deletes the build it has.
 */
export async function loadRclnodejs(folder: string): Promise<Vendor> {
  const addon = addonCandidates(folder).find((path) => existsSync(path));
  if (addon === undefined) {
    throw unavailable(
      folder,
      'rclnodejs has no addon for this ROS distribution and operating system',
      BUILD_HINT,
    );
  }
  try {
    process.dlopen({ exports: {} }, addon);
  } catch (error) {
    throw unavailable(addon, `the addon of rclnodejs cannot be loaded: ${messageOf(error)}`, SOURCE_HINT);
  }
  // Its files, not its bundle: the bundle does not export the classes for events of the middleware.
  const load = (file: string) => import(pathToFileURL(join(folder, file)).href) as Promise<unknown>;
  const { default: rcl } = (await load('index.js')) as { default: Rclnodejs };
  const events = (await load('lib/event_handler.js')) as EventClasses;
  return { rcl, events };
}

/** True when rclnodejs still has to make its message classes, which takes up to minutes, once. */
export function needsGeneration(folder: string): boolean {
  return !existsSync(join(folder, 'generated', 'generator.json'));
}

const BUILD_HINT =
  'build it once on this machine with ROS sourced: npm rebuild rclnodejs --ignore-scripts=false (needs a C++ compiler)';
const SOURCE_HINT = 'source the setup.bash of your ROS 2 installation before starting the daemon';

function unavailable(subject: string, message: string, hint: string): HostFault {
  return new HostFault('ros.unavailable', 'load rclnodejs', subject, message, hint);
}
