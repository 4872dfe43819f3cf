/** Which topics a view in space shows, and what of their messages. Pure. */
import type { Channel, Message } from '../link/sample.ts';
import { drawingOf } from '../map/layers.ts';
import { cloudPoints } from './cloud-points.ts';
import { type Place, type Quat, sound, type Vec } from './space-frames.ts';

export type SpaceKind = 'scan' | 'cloud' | 'path' | 'goal' | 'camera';
export type SpaceLayer = { readonly topic: string; readonly kind: SpaceKind };

export type SpaceDrawing =
  /** x, y, z one after another, metres in the frame. */
  | { readonly kind: 'scan' | 'cloud' | 'path'; readonly frame: string; readonly points: Float32Array }
  | { readonly kind: 'goal'; readonly frame: string; readonly place: Place }
  /** Corners of the image at one metre before the camera, x right and y down. */
  | { readonly kind: 'camera'; readonly frame: string; readonly corners: readonly Vec[] };

const KINDS: Readonly<Record<string, SpaceKind>> = {
  'sensor_msgs/msg/LaserScan': 'scan',
  'sensor_msgs/msg/PointCloud2': 'cloud',
  'nav_msgs/msg/Path': 'path',
  'geometry_msgs/msg/PoseStamped': 'goal',
  'sensor_msgs/msg/CameraInfo': 'camera',
};
const ORDER: readonly SpaceKind[] = ['path', 'goal', 'scan', 'cloud', 'camera'];
const PATH_MAX = 5_000;

export function spaceLayersOf(channels: ReadonlyMap<string, Channel>): SpaceLayer[] {
  return [...channels.values()]
    .flatMap(({ topic, schemaName }) => {
      const kind = KINDS[schemaName];
      return kind === undefined ? [] : [{ topic, kind }];
    })
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || (a.topic < b.topic ? -1 : 1));
}

type Xyz = { readonly x: number; readonly y: number; readonly z: number };
type RosPose3 = { readonly position: Xyz; readonly orientation: Xyz & { readonly w: number } };
type Stamped = { readonly header: { readonly frame_id: string } };

export const vecOf = ({ x, y, z }: Xyz): Vec => [x, y, z];
export const quatOf = ({ x, y, z, w }: Xyz & { readonly w: number }): Quat => [x, y, z, w];
export const placeOf = ({ position, orientation }: RosPose3): Place | undefined =>
  sound({ at: vecOf(position), turn: quatOf(orientation) });

/** What one message shows; undefined where it does not hold together. */
export function spaceDrawingOf(kind: SpaceKind, message: Message): SpaceDrawing | undefined {
  const { frame_id: frame } = (message as Stamped).header;
  if (kind === 'scan') {
    const drawing = drawingOf('scan', message);
    if (drawing?.kind !== 'scan') return undefined;
    return { kind, frame, points: Float32Array.from(drawing.points.flatMap(([x, y]) => [x, y, 0])) };
  }
  if (kind === 'cloud') {
    const points = cloudPoints(message);
    return points && { kind, frame, points };
  }
  if (kind === 'path') {
    const poses = (message['poses'] as readonly (Stamped & { readonly pose: RosPose3 })[]).slice(0, PATH_MAX);
    const points = Float32Array.from(poses.flatMap(({ pose }) => vecOf(pose.position)));
    return { kind, frame: frame || poses[0]?.header.frame_id || '', points };
  }
  if (kind === 'goal') {
    const place = placeOf(message['pose'] as RosPose3);
    return place && { kind, frame, place };
  }
  return cameraOf(frame, message);
}

function cameraOf(frame: string, message: Message): SpaceDrawing | undefined {
  const { width, height, k } = message as unknown as {
    readonly width: number;
    readonly height: number;
    readonly k: ArrayLike<number>;
  };
  const [fx, fy, cx, cy] = [k?.[0], k?.[4], k?.[2], k?.[5]];
  // All zeros: the camera is not calibrated.
  if (!fx || !fy || !(width > 0) || !(height > 0)) return undefined;
  const corner = (u: number, v: number): Vec => [(u - cx!) / fx, (v - cy!) / fy, 1];
  const corners = [corner(0, 0), corner(width, 0), corner(width, height), corner(0, height)];
  return corners.flat().every(Number.isFinite) ? { kind: 'camera', frame, corners } : undefined;
}
