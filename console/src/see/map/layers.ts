/** Which topics a map shows, and what of their messages. Pure. */
import type { Pose } from '../../lib/views.ts';
import type { Channel, Message } from '../link/sample.ts';
import { poseOf, type RosPose } from './frames.ts';

export type LayerKind = 'grid' | 'zone' | 'scan' | 'path' | 'goal' | 'outline' | 'robot';
export type Layer = { readonly topic: string; readonly kind: LayerKind };
type XY = readonly [x: number, y: number];

export type Drawing =
  | { readonly kind: 'grid' | 'zone'; readonly frame: string; readonly grid: Grid }
  | { readonly kind: 'scan' | 'path' | 'outline'; readonly frame: string; readonly points: readonly XY[] }
  | { readonly kind: 'goal' | 'robot'; readonly frame: string; readonly pose: Pose; readonly child?: string };
export type Grid = {
  readonly width: number;
  readonly height: number;
  /** Metres of a cell. */
  readonly resolution: number;
  /** Of the corner of the first cell. */
  readonly origin: Pose;
  readonly cells: Int8Array;
};

const KINDS: Readonly<Record<string, LayerKind>> = {
  'nav_msgs/msg/OccupancyGrid': 'grid',
  'sensor_msgs/msg/LaserScan': 'scan',
  'nav_msgs/msg/Path': 'path',
  'geometry_msgs/msg/PoseStamped': 'goal',
  'geometry_msgs/msg/PolygonStamped': 'outline',
  'nav_msgs/msg/Odometry': 'robot',
};
/** Masks of Nav2's filters: where the robot must not or only slowly drive. */
const ZONES = /keepout|filter_mask|speed_mask|zone/i;
const CELLS_MAX = 4_096 * 4_096;
const POINTS_MAX = 20_000;
const ORDER: readonly LayerKind[] = ['grid', 'zone', 'path', 'goal', 'outline', 'scan', 'robot'];

export function layersOf(channels: ReadonlyMap<string, Channel>): Layer[] {
  return [...channels.values()]
    .flatMap(({ topic, schemaName }) => {
      const kind = KINDS[schemaName];
      if (kind === undefined) return [];
      return [{ topic, kind: kind === 'grid' && ZONES.test(topic) ? ('zone' as const) : kind }];
    })
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || (a.topic < b.topic ? -1 : 1));
}

/** Costmaps would hide the map, and where the robot truly is shows only a simulation: a person turns them on. */
export const isShownFirst = ({ topic, kind }: Layer): boolean =>
  kind === 'grid' ? !/costmap/i.test(topic) : !/ground_truth/i.test(topic);

type Stamped = { readonly header: { readonly frame_id: string } };

/** What one message shows; undefined where it does not hold together. */
export function drawingOf(kind: LayerKind, message: Message): Drawing | undefined {
  const { frame_id: frame } = (message as Stamped).header;
  if (kind === 'grid' || kind === 'zone') {
    const grid = gridOf(message);
    return grid && { kind, frame, grid };
  }
  if (kind === 'scan') return { kind, frame, points: scanPoints(message as unknown as Scan) };
  if (kind === 'path') {
    const poses = message['poses'] as readonly (Stamped & { readonly pose: RosPose })[];
    const points = poses.slice(0, POINTS_MAX).map(({ pose }) => [pose.position.x, pose.position.y] as const);
    return { kind, frame: frame || poses[0]?.header.frame_id || '', points };
  }
  if (kind === 'outline') {
    const { points } = message['polygon'] as { readonly points: readonly { x: number; y: number }[] };
    return { kind, frame, points: points.slice(0, POINTS_MAX).map(({ x, y }) => [x, y] as const) };
  }
  if (kind === 'goal') return { kind, frame, pose: poseOf(message['pose'] as RosPose) };
  const pose = poseOf((message['pose'] as { readonly pose: RosPose }).pose);
  return { kind, frame, pose, child: message['child_frame_id'] as string };
}

function gridOf(message: Message): Grid | undefined {
  const { width, height, resolution, origin } = message['info'] as {
    readonly width: number;
    readonly height: number;
    readonly resolution: number;
    readonly origin: RosPose;
  };
  const cells = message['data'] as Int8Array;
  const size = width * height;
  if (!(resolution > 0) || size < 1 || size > CELLS_MAX || cells.length !== size) return undefined;
  return { width, height, resolution, origin: poseOf(origin), cells };
}

type Scan = {
  readonly angle_min: number;
  readonly angle_increment: number;
  readonly range_min: number;
  readonly range_max: number;
  readonly ranges: ArrayLike<number>;
};

function scanPoints({ angle_min, angle_increment, range_min, range_max, ranges }: Scan): XY[] {
  const points: XY[] = [];
  for (let i = 0; i < Math.min(ranges.length, POINTS_MAX); i++) {
    const range = ranges[i]!;
    if (!(range >= range_min && range <= range_max)) continue;
    const angle = angle_min + i * angle_increment;
    points.push([range * Math.cos(angle), range * Math.sin(angle)]);
  }
  return points;
}
