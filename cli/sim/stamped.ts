import type { Nanoseconds, Sample } from '../../contract/core.ts';
import { ARM_TOPICS, CAMERA_TOPICS } from '../../sim/arm/arm-topics.ts';

const NS_PER_S = 1_000_000_000n;
/** Encapsulation, then the stamp of the header. */
const STAMP_AT = 4;
/** Messages that start with a header. */
const HEADED = new Set(
  [ARM_TOPICS.joints, ARM_TOPICS.cubes, ...Object.values(CAMERA_TOPICS)].map(({ type }) => type),
);

/**
 * The same sample as measured at this time; the bytes are changed in place, since only this simulation holds them.
 */
export function stamped(sample: Sample, time: Nanoseconds): Sample {
  if (HEADED.has(sample.type)) {
    const view = new DataView(sample.bytes.buffer, sample.bytes.byteOffset, sample.bytes.byteLength);
    view.setInt32(STAMP_AT, Number(time / NS_PER_S), true);
    view.setUint32(STAMP_AT + 4, Number(time % NS_PER_S), true);
  }
  return { ...sample, stamp: time, received: time };
}
