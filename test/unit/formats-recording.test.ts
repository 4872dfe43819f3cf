import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { describe, expect, it } from 'vitest';
import * as cdr from '../../formats/cdr/index.ts';
import { decodeAny, encodeAny, hasHeader, headerStamp, schemaFor } from '../../formats/ros2/index.ts';

/** A real robot's messages, as its own DDS wrote them (padding and all). */
const RECORDING = join(import.meta.dirname, '../../../shared/data/neato-hallway/macfirst_floor_take_2_0.db3');
const real = existsSync(RECORDING);
const TYPES = [cdr.LASER_SCAN, cdr.ODOMETRY, cdr.TF_MESSAGE, cdr.TWIST, 'std_msgs/msg/String'];

function messages(): { type: string; data: Uint8Array }[] {
  if (!real) return TYPES.map((type) => ({ type, data: encodeAny(type, {}) }));
  const db = new DatabaseSync(RECORDING, { readOnly: true });
  const rows = db.prepare('SELECT t.type, m.data FROM messages m JOIN topics t ON t.id = m.topic_id').all();
  db.close();
  return rows as { type: string; data: Uint8Array }[];
}

describe(real ? 'the recording of a real robot' : 'generated messages (the recording is not here)', () => {
  it('is read alike by decodeAny, by the hand-written code and by the foreign reader', () => {
    const readers = new Map(
      TYPES.map((type) => [type, new MessageReader(parse(schemaFor(type)!.data, { ros2: true }))]),
    );
    const counts: Record<string, number> = {};
    for (const { type, data } of messages()) {
      const wanted = readers.get(type)!.readMessage<Record<string, unknown>>(data);
      expect(decodeAny(type, data)).toEqual(wanted);
      if (type === cdr.LASER_SCAN) expect(cdr.decodeLaserScan(data).ranges).toEqual(wanted['ranges']);
      if (type === cdr.ODOMETRY) expect(cdr.decodeOdometry(data).pose).toEqual(wanted['pose']);
      if (type === cdr.TWIST) expect(cdr.decodeTwist(data)).toEqual(wanted);
      if (type === cdr.TF_MESSAGE) {
        const transforms = wanted['transforms'] as { transform: unknown }[];
        expect(cdr.decodeTf(data).map(({ transform }) => transform)).toEqual(
          transforms.map(({ transform }) => transform),
        );
      }
      if (real && hasHeader(type)) {
        const { stamp } = wanted['header'] as { stamp: { sec: number; nanosec: number } };
        expect(headerStamp(type, data)).toBe(BigInt(stamp.sec) * 1_000_000_000n + BigInt(stamp.nanosec));
      }
      counts[type] = (counts[type] ?? 0) + 1;
    }
    expect(counts).toEqual(
      real
        ? {
            [cdr.LASER_SCAN]: 357,
            [cdr.ODOMETRY]: 920,
            [cdr.TF_MESSAGE]: 955,
            [cdr.TWIST]: 192,
            'std_msgs/msg/String': 1,
          }
        : Object.fromEntries(TYPES.map((type) => [type, 1])),
    );
  });
});
