/** What the view in space knows: the newest message of each layer, frames, joints, the description. Pure. */
import type { LiveSample, Message } from '../link/sample.ts';
import { TF_TOPICS } from '../map/map-scene.ts';
import { type RobotShape, shapeOf } from './robot-shape.ts';
import { type Place, SpaceFrames } from './space-frames.ts';
import {
  placeOf,
  quatOf,
  type SpaceDrawing,
  type SpaceLayer,
  spaceDrawingOf,
  vecOf,
} from './space-layers.ts';

const BASES: readonly string[] = ['base_footprint', 'base_link'];
const MAP = 'map';
const JOINTS_MAX = 1_024;
export const DESCRIPTION = '/robot_description';

export class SpaceBook {
  readonly frames = new SpaceFrames();
  readonly joints = new Map<string, number>();
  readonly #shown = new Map<string, SpaceDrawing>();
  shape: RobotShape | undefined;
  /** Why there is no shape, for a person. */
  shapeFault = '';
  #urdf = '';
  #robotFrame: string | undefined;
  /** Another number: there is something else to draw. */
  version = 0;

  shown(topic: string): SpaceDrawing | undefined {
    return this.#shown.get(topic);
  }

  take({ channel: { topic, schemaName }, value }: LiveSample, layers: readonly SpaceLayer[]) {
    if (value === undefined) return undefined;
    this.version += 1;
    if (TF_TOPICS.includes(topic)) return this.#takeFrames(value);
    if (topic === DESCRIPTION) return this.describe(String(value['data']));
    if (schemaName === 'sensor_msgs/msg/JointState') return this.#takeJoints(value);
    if (schemaName === 'nav_msgs/msg/Odometry') return this.#takeOdometry(value);
    const kind = layers.find((one) => one.topic === topic)?.kind;
    const drawing = kind && spaceDrawingOf(kind, value);
    if (drawing) this.#shown.set(topic, drawing);
    return undefined;
  }

  /** A description of the robot as URDF. */
  describe(urdf: string): void {
    if (urdf === this.#urdf) return;
    this.#urdf = urdf;
    this.version += 1;
    try {
      this.shape = shapeOf(urdf);
      this.shapeFault = '';
    } catch (error) {
      this.shape = undefined;
      this.shapeFault = (error as Error).message;
    }
  }

  /** The frame that does not move. */
  get fixedFrame(): string {
    if (this.frames.has(MAP)) return MAP;
    const base = this.robotFrame ?? this.shape?.model.root;
    return base === undefined ? ([...this.#shown.values()][0]?.frame ?? MAP) : this.frames.rootOf(base);
  }

  get robotFrame(): string | undefined {
    return BASES.find((name) => this.frames.has(name)) ?? this.#robotFrame;
  }

  /** Where the robot is in the fixed frame. */
  get robot(): Place | undefined {
    const frame = this.robotFrame;
    return frame === undefined ? undefined : this.frames.find(this.fixedFrame, frame);
  }

  #takeFrames(message: Message): void {
    for (const { header, child_frame_id, transform } of message['transforms'] as readonly {
      readonly header: { readonly frame_id: string };
      readonly child_frame_id: string;
      readonly transform: {
        readonly translation: Parameters<typeof vecOf>[0];
        readonly rotation: Parameters<typeof quatOf>[0];
      };
    }[])
      this.frames.set(header.frame_id, child_frame_id, {
        at: vecOf(transform.translation),
        turn: quatOf(transform.rotation),
      });
  }

  #takeJoints(message: Message): void {
    const names = message['name'] as readonly string[];
    const positions = message['position'] as ArrayLike<number>;
    for (const [i, name] of names.entries()) {
      const position = positions[i];
      if (position === undefined || !Number.isFinite(position)) continue;
      if (this.joints.has(name) || this.joints.size < JOINTS_MAX) this.joints.set(name, position);
    }
  }

  /** A robot without /tf says where it is by its odometry. */
  #takeOdometry(message: Message): void {
    const child = message['child_frame_id'] as string;
    const { frame_id } = message['header'] as { readonly frame_id: string };
    const place = placeOf((message['pose'] as { readonly pose: Parameters<typeof placeOf>[0] }).pose);
    if (!place || child === '') return;
    this.#robotFrame ??= child;
    if (!this.#fromOdometry && this.frames.has(child)) return;
    this.#fromOdometry = true;
    this.frames.set(frame_id, child, place);
  }
  #fromOdometry = false;
}
