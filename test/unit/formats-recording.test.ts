import { DatabaseSync } from 'node:sqlite';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { expect, it } from 'vitest';
import * as cdr from '../../formats/cdr/index.ts';
import { decodeAny, hasHeader, headerStamp, schemaFor } from '../../formats/ros2/index.ts';
import { RECORDED_MESSAGES, syntheticDb3 } from '../support/synthetic-recording.ts';

const TYPES = [cdr.LASER_SCAN, cdr.ODOMETRY, cdr.TF_MESSAGE, cdr.TWIST, 'std_msgs/msg/String'];

function messages(): { type: string; data: Uint8Array }[] {
  const db = new DatabaseSync(syntheticDb3(), { readOnly: true });
  const rows = db.prepare('SELECT t.type, m.data FROM messages m JOIN topics t ON t.id = m.topic_id').all();
  db.close();
  return rows as { type: string; data: Uint8Array }[];
}

it('decodeAny, the hand-written code and a foreign reader read a recording alike, padding and all', () => {
  const readers = new Map(
    TYPES.map((type) => [type, new MessageReader(parse(schemaFor(type)!.data, { ros2: true }))]),
  );
  const seen = new Set<string>();
  let count = 0;
  for (const { type, data } of messages()) {
    expect(data.length % 4).toBe(0);
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
    if (hasHeader(type)) {
      const { stamp } = wanted['header'] as { stamp: { sec: number; nanosec: number } };
      expect(headerStamp(type, data)).toBe(BigInt(stamp.sec) * 1_000_000_000n + BigInt(stamp.nanosec));
    }
    seen.add(type);
    count++;
  }
  expect([...seen].sort()).toEqual([...TYPES].sort());
  expect(count).toBe(RECORDED_MESSAGES);
});
