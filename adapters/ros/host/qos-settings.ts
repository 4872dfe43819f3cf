import type { Qos } from '../../../contract/index.ts';
import type { Rclnodejs, TypeName, Qos as VendorQos } from './vendor.ts';

/** Numbers of rmw/types.h. */
export function vendorQos(rcl: Rclnodejs, qos: Qos, depthMin: number): VendorQos {
  const history = qos.history === 'keep_all' ? 2 : 1;
  const reliability = qos.reliability === 'reliable' ? 1 : 2;
  const durability = qos.durability === 'transient_local' ? 1 : 2;
  const liveliness = qos.liveliness === undefined ? 0 : qos.liveliness === 'manual_by_topic' ? 3 : 1;
  return new rcl.QoS(history, Math.max(qos.depth, depthMin), reliability, durability, liveliness);
}

/** Policies that rclnodejs does not pass on, and the helper library does (native/edge-ros.c). */
export function needsNative(qos: Qos): boolean {
  return qos.deadlineMs !== undefined || qos.lifespanMs !== undefined || qos.livelinessLeaseMs !== undefined;
}

/** Makes an entity with the policies and the type that the helper library reads from the environment. */
export function withNative<T>(qos: Qos, rawType: string | undefined, make: () => T): T {
  const times = [qos.deadlineMs, qos.lifespanMs, qos.livelinessLeaseMs];
  process.env['AURAISON_QOS'] = times.map((ms) => Math.round((ms ?? 0) * 1_000_000)).join(',');
  if (rawType !== undefined) process.env['AURAISON_RAW_TYPE'] = rawType;
  try {
    return make();
  } finally {
    delete process.env['AURAISON_QOS'];
    delete process.env['AURAISON_RAW_TYPE'];
  }
}

/** Stands for a class whose package is not installed; rclnodejs asks it for its name only. */
export const RAW_TYPE: TypeName = Object.assign(() => {}, {
  type: () => ({ pkgName: 'auraison_raw', subFolder: 'msg', interfaceName: 'Any' }),
});
