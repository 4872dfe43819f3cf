import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { HostFault } from './fault.ts';
import type { ActionClass, MessageClass, Rclnodejs, ServiceClass } from './vendor.ts';

export type InterfaceKind = 'msg' | 'srv' | 'action';
const KIND_NAMES: Readonly<Record<InterfaceKind, string>> = {
  msg: 'message',
  srv: 'service',
  action: 'action',
};

/** `sample.unknown_type` naming what to install, unless the definition of `type` is in the installation. */
export function requireInstalled(type: string, kind: InterfaceKind): void {
  const [pkg, folder, name, ...rest] = type.split('/');
  const refuse = (message: string, hint: string) =>
    new HostFault('sample.unknown_type', `look up a ${KIND_NAMES[kind]} type`, type, message, hint);
  if (!pkg || !name || folder !== kind || rest.length > 0) {
    throw refuse(
      `not the name of a ${KIND_NAMES[kind]} type`,
      `write it as package/${kind}/Name, for example ${EXAMPLES[kind]}`,
    );
  }
  const prefixes = (process.env['AMENT_PREFIX_PATH'] ?? '')
    .split(delimiter)
    .filter((prefix) => prefix !== '');
  if (!prefixes.some((prefix) => existsSync(join(prefix, 'share', pkg)))) {
    const distro = process.env['ROS_DISTRO'] ?? 'DISTRO';
    const debian = `ros-${distro}-${pkg.replaceAll('_', '-')}`;
    throw refuse(
      `the package ${pkg} is not installed`,
      `install ${debian}, or source the workspace that has ${pkg}`,
    );
  }
  if (!prefixes.some((prefix) => existsSync(join(prefix, 'share', pkg, kind, `${name}.${kind}`)))) {
    throw refuse(
      `the package ${pkg} has no ${KIND_NAMES[kind]} ${name}`,
      `compare with the files in share/${pkg}/${kind}`,
    );
  }
}

const EXAMPLES: Readonly<Record<InterfaceKind, string>> = {
  msg: 'sensor_msgs/msg/LaserScan',
  srv: 'std_srvs/srv/Trigger',
  action: 'nav2_msgs/action/NavigateToPose',
};

function load<T>(rcl: Rclnodejs, type: string, kind: InterfaceKind): T {
  requireInstalled(type, kind);
  try {
    return rcl.require(type) as unknown as T;
  } catch {
    throw new HostFault(
      'sample.unknown_type',
      `look up a ${KIND_NAMES[kind]} type`,
      type,
      'rclnodejs has no class for it',
      'delete the folder generated of rclnodejs and start again',
    );
  }
}

/** The class of a message type, or `sample.unknown_type` naming the package to install. */
export function messageClass(rcl: Rclnodejs, type: string): MessageClass {
  return load(rcl, type, 'msg');
}
export function serviceClass(rcl: Rclnodejs, type: string): ServiceClass {
  return load(rcl, type, 'srv');
}
export function actionClass(rcl: Rclnodejs, type: string): ActionClass {
  return load(rcl, type, 'action');
}
