/** What the map page knows: the newest message of each layer, frames, and where the robot was. Pure. */
import type { Pose } from '../../lib/views.ts';
import type { LiveSample, Message } from '../link/sample.ts';
import { compose, invert, PlaneFrames, poseOf, type Quaternion } from './frames.ts';
import { type Drawing, drawingOf, type Grid, type Layer } from './layers.ts';
import { Trail } from './trail.ts';

export const TF_TOPICS: readonly string[] = ['/tf', '/tf_static'];
const MAP = 'map';
const BASES: readonly string[] = ['base_footprint', 'base_link'];
/** The pose of the API is of a little before or after the newest odometry: smaller differences are no drift. */
const DRIFT_M = 0.15;
const DRIFT_RAD = 0.1;

export type Shown = { readonly drawing: Drawing; readonly atMs: number; readonly timeS: number };
export type Box = {
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly top: number;
};
type Transform = {
  readonly header: { readonly frame_id: string };
  readonly child_frame_id: string;
  readonly transform: { readonly translation: { x: number; y: number }; readonly rotation: Quaternion };
};

export class MapScene {
  readonly frames = new PlaneFrames();
  readonly trail = new Trail();
  readonly #shown = new Map<string, Shown>();
  /** Another number: there is something else to draw. */
  version = 0;
  /** The map that the robot made itself, where no topic has one. */
  ownMap: Grid | undefined;
  #robotFrame: string | undefined;
  #trailFrame = '';

  shown(topic: string): Shown | undefined {
    return this.#shown.get(topic);
  }

  /** What is known is of another time. */
  clear(): void {
    this.frames.clear();
    this.trail.clear();
    this.#shown.clear();
    this.#robotFrame = undefined;
    this.#isOwn = false;
    this.version += 1;
  }

  take(sample: LiveSample, layers: readonly Layer[]): void {
    const { value, atMs, timeS } = sample;
    const { topic } = sample.channel;
    if (value === undefined) return;
    this.version += 1;
    if (TF_TOPICS.includes(topic)) this.#takeFrames(value);
    const kind = layers.find((one) => one.topic === topic)?.kind;
    const drawing = kind && drawingOf(kind, value);
    if (!drawing) return;
    this.#shown.set(topic, { drawing, atMs, timeS });
    if (drawing.kind === 'robot') {
      this.#robotFrame ??= drawing.child || undefined;
      // A robot without /tf says where it is by its odometry.
      if (drawing.child && !this.frames.has(drawing.child))
        this.frames.set(drawing.frame, drawing.child, drawing.pose);
    }
    this.#follow();
  }

  /** Where the robot is in its own map, as the API answers it: joins that map with the frames. */
  takeOwnPose(pose: Pose): void {
    this.version += 1;
    const base = this.robotFrame;
    if (base === undefined) {
      this.frames.set(MAP, BASES[1]!, pose);
      return;
    }
    const root = this.frames.rootOf(base);
    const known = this.frames.find(MAP, base);
    if (known && root === MAP && !this.#isOwn) return;
    const odom = this.#isOwn ? this.#ownRoot : root;
    const inOdom = this.frames.find(odom, base);
    if (!inOdom) return;
    const drift = known && [Math.hypot(known.x - pose.x, known.y - pose.y), turn(known.yaw - pose.yaw)];
    if (drift && drift[0]! < DRIFT_M && drift[1]! < DRIFT_RAD) return;
    this.#ownRoot = odom;
    this.#isOwn = true;
    this.frames.set(MAP, odom, compose(pose, invert(inOdom)));
  }
  #isOwn = false;
  #ownRoot = '';

  /** The frame that does not move on the canvas. */
  get fixedFrame(): string {
    if (this.frames.has(MAP)) return MAP;
    const base = this.robotFrame;
    if (base !== undefined) return this.frames.rootOf(base);
    return [...this.#shown.values()][0]?.drawing.frame ?? MAP;
  }

  get robotFrame(): string | undefined {
    return BASES.find((name) => this.frames.has(name)) ?? this.#robotFrame;
  }

  /** Where the robot is in the fixed frame. */
  get robot(): Pose | undefined {
    const frame = this.robotFrame;
    return frame === undefined ? undefined : this.frames.find(this.fixedFrame, frame);
  }

  /** What there is to see, metres in the fixed frame; undefined: nothing. */
  bounds(): Box | undefined {
    const box = { left: Infinity, right: -Infinity, bottom: Infinity, top: -Infinity };
    const add = (x: number, y: number) => {
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x);
      box.bottom = Math.min(box.bottom, y);
      box.top = Math.max(box.top, y);
    };
    const grids = [...this.#shown.values()].flatMap(({ drawing }) =>
      drawing.kind === 'grid' ? [{ grid: drawing.grid, frame: drawing.frame }] : [],
    );
    if (this.ownMap) grids.push({ grid: this.ownMap, frame: this.fixedFrame });
    for (const { grid, frame } of grids) {
      const pose = frame === this.fixedFrame ? HERE : this.frames.find(this.fixedFrame, frame);
      if (pose) for (const { x, y } of cornersOf(grid, pose)) add(x, y);
    }
    if (grids.length === 0) for (const { x, y } of this.trail.points) add(x, y);
    const { robot } = this;
    // Without a map: what is around the robot.
    if (grids.length === 0 && robot) {
      add(robot.x - 4, robot.y - 4);
      add(robot.x + 4, robot.y + 4);
    }
    return box.left < box.right ? box : undefined;
  }

  #takeFrames(message: Message): void {
    for (const { header, child_frame_id, transform } of message['transforms'] as readonly Transform[]) {
      const { translation, rotation } = transform;
      const pose = poseOf({ position: translation, orientation: rotation });
      this.frames.set(header.frame_id, child_frame_id, pose);
    }
    this.#follow();
  }

  #follow(): void {
    const { fixedFrame, robot } = this;
    // Where the robot was in another frame says nothing.
    if (fixedFrame !== this.#trailFrame) this.trail.clear();
    this.#trailFrame = fixedFrame;
    if (robot) this.trail.add(robot);
  }
}

const HERE: Pose = { x: 0, y: 0, yaw: 0 };

function cornersOf({ origin, width, height, resolution }: Grid, pose: Pose): Pose[] {
  const [right, top] = [width * resolution, height * resolution];
  return [
    [0, 0],
    [right, 0],
    [0, top],
    [right, top],
  ].map(([x, y]) => compose(pose, compose(origin, { x: x!, y: y!, yaw: 0 })));
}

const turn = (angle: number) => Math.abs(Math.atan2(Math.sin(angle), Math.cos(angle)));
