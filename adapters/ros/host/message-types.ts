import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Nanoseconds } from '../../../contract/index.ts';
import { HostFault } from './fault.ts';
import type { MessageClass, Rclnodejs } from './vendor.ts';

/** The class of `type`, or `sample.unknown_type` naming the package to install. */
export function messageClass(rcl: Rclnodejs, type: string): MessageClass {
  const [pkg, kind, name] = type.split('/');
  const refuse = (message: string, hint: string) =>
    new HostFault('sample.unknown_type', 'look up a message type', type, message, hint);
  if (!pkg || !name || kind !== 'msg') {
    throw refuse(
      'not the name of a message type',
      'write it as package/msg/Name, for example sensor_msgs/msg/LaserScan',
    );
  }
  const prefixes = (process.env['AMENT_PREFIX_PATH'] ?? '')
    .split(delimiter)
    .filter((prefix) => prefix !== '');
  const installed = prefixes.some((prefix) => existsSync(join(prefix, 'share', pkg)));
  const distro = process.env['ROS_DISTRO'] ?? 'DISTRO';
  if (!installed) {
    const debian = `ros-${distro}-${pkg.replaceAll('_', '-')}`;
    throw refuse(
      `the package ${pkg} is not installed`,
      `install ${debian}, or source the workspace that has ${pkg}`,
    );
  }
  if (!prefixes.some((prefix) => existsSync(join(prefix, 'share', pkg, 'msg', `${name}.msg`)))) {
    throw refuse(`the package ${pkg} has no message ${name}`, `compare with the files in share/${pkg}/msg`);
  }
  try {
    return rcl.require(type);
  } catch {
    throw refuse('rclnodejs has no class for it', 'delete the folder generated of rclnodejs and start again');
  }
}

/** Whether messages of this class begin with a std_msgs/Header, whose stamp then lies at bytes 4 to 12. */
export function hasLeadingHeader(message: MessageClass): boolean {
  const first = message.ROSMessageDef?.fields[0]?.type;
  return first !== undefined && first.pkgName === 'std_msgs' && first.type === 'Header' && !first.isArray;
}

const STAMP_AT = 4;
const STAMP_END = 12;

/** The header stamp of a serialized message; 0n when it was never set or cannot be one. */
export function headerStamp(message: Buffer): Nanoseconds {
  if (message.length < STAMP_END) return 0n;
  const little = (message.readUInt8(1) & 1) === 1;
  const seconds = little ? message.readInt32LE(STAMP_AT) : message.readInt32BE(STAMP_AT);
  const nanoseconds = little ? message.readUInt32LE(STAMP_AT + 4) : message.readUInt32BE(STAMP_AT + 4);
  if (seconds < 0 || nanoseconds >= 1_000_000_000) return 0n;
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}
