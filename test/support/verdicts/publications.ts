import fc from 'fast-check';
import { FLOAT64_MULTI_ARRAY, JOINT_TRAJECTORY, TWIST, TWIST_STAMPED } from '../../../formats/cdr/index.ts';
import type { Publication } from './publication-borders.ts';

/** Speeds: usual, at the edge, too fast, absurd, and values that are not numbers. */
const speed = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: -1, max: 1, noNaN: true }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<unknown>(0, -0, 5, 99.99, 100, 100.01, -100, -100.01, 1e30, 5e-324),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<unknown>(Number.NaN, Number.POSITIVE_INFINITY, null, '0.5', true, [1], {}),
  },
);
/** Of an axis that a base does not have. */
const other = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom<unknown>(undefined, 0) },
  { weight: 1, arbitrary: speed },
);
const present = (made: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined));
const twist = fc
  .record({
    linear: fc.record({ x: speed, y: other, z: other }).map(present),
    angular: fc.record({ x: other, y: other, z: speed }).map(present),
  })
  .map((made): unknown => ({ ...made }));
const broken = fc.constantFrom<unknown>({}, { linear: 3 }, { linear: null }, { speed: 1 }, [], 'x', null, 7);
const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  [TWIST]: fc.oneof({ weight: 12, arbitrary: twist }, { weight: 1, arbitrary: broken }),
  [TWIST_STAMPED]: fc.oneof(
    {
      weight: 12,
      // The frame of a velocity is a note of its sender: a base obeys in its own.
      arbitrary: fc
        .tuple(twist, fc.constantFrom('base_link', 'map', '', 'moon'))
        .map(([made, frame_id]): unknown => ({ header: { frame_id }, twist: made })),
    },
    { weight: 1, arbitrary: broken },
  ),
  [FLOAT64_MULTI_ARRAY]: fc
    .array(speed, { maxLength: 3 })
    .map((all): unknown => ({ layout: { dim: [], data_offset: 0 }, data: all })),
  [JOINT_TRAJECTORY]: fc.constant<unknown>({ joint_names: ['tail'], points: [] }),
  'std_msgs/msg/String': fc.constantFrom<unknown>({ data: 'go' }, { data: 7 }, {}),
  'geometry_msgs/msg/PoseStamped': fc.constant<unknown>({ header: { frame_id: 'map' } }),
  'sensor_msgs/msg/LaserScan': fc.constant<unknown>({ header: { frame_id: 'laser' }, ranges: [1] }),
};
const type = fc.oneof(
  { weight: 9, arbitrary: fc.constant(TWIST) },
  { weight: 4, arbitrary: fc.constant(TWIST_STAMPED) },
  { weight: 3, arbitrary: fc.constantFrom(...Object.keys(values)) },
);
const topic = fc.oneof(
  { weight: 9, arbitrary: fc.constant('/cmd_vel') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('/cmd_vel_out', '/other/cmd_vel', '/ui/words', '/scan', '/joint_command'),
  },
);

export const publications: fc.Arbitrary<Publication> = fc
  .tuple(topic, type)
  .chain(([at, of]) => values[of]!.map((value) => ({ topic: at, type: of, value })));
