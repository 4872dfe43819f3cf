import type { Clock, TopicSpec } from '../../../contract/core.ts';
import {
  encodeFloat64MultiArray,
  encodeTwist,
  encodeTwistStamped,
  FLOAT64_MULTI_ARRAY,
  TWIST,
  TWIST_STAMPED,
} from '../../../formats/cdr/index.ts';

/** Six numbers of eight bytes. */
const TWIST_BYTES = 48;

/** What stops who listens to a topic. */
export type Stop = { message(): Uint8Array; is(message: Uint8Array): boolean };

/** Undefined where nothing has to be stopped. */
export function stopOf({ type, speeds }: TopicSpec, clock: Clock): Stop | undefined {
  if (type === FLOAT64_MULTI_ARRAY && speeds) {
    const still = encodeFloat64MultiArray(new Float64Array(speeds));
    return { message: () => still, is: (message) => Buffer.compare(message, still) === 0 };
  }
  const twist = { linear: { x: 0, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0 } };
  if (type === TWIST) return { message: () => encodeTwist(twist), is: isStanding };
  if (type !== TWIST_STAMPED) return undefined;
  const header = () => ({ stamp: clock.now(), frame_id: 'base_link' });
  return { message: () => encodeTwistStamped({ header: header(), twist }), is: isStanding };
}

/** All six numbers at the end of the message are zero, stamped or not. */
function isStanding(bytes: Uint8Array): boolean {
  return bytes.length >= 4 + TWIST_BYTES && bytes.subarray(-TWIST_BYTES).every((byte) => byte === 0);
}
