import { CAMERAS, type CameraModel } from '../arm-model.ts';
import type { ArmPhysics } from '../arm-physics.ts';
import { rotate, type Vec3 } from '../geometry.ts';
import { type Frame, Rasterizer, type View } from './rasterizer.ts';

/** Where a camera of the arm is now. */
export function viewOf(camera: CameraModel, physics: ArmPhysics): View {
  const { position, axes } = physics.frame(camera.link);
  const placed = (point: Vec3): Vec3 => {
    const [x, y, z] = rotate(axes, point);
    return [x + position[0], y + position[1], z + position[2]];
  };
  const { fovY, width, height } = camera;
  return {
    position: placed(camera.at),
    towards: placed(camera.towards),
    up: rotate(axes, camera.up),
    fovY,
    width,
    height,
  };
}

/** The cameras of the arm. Two of them may share a size and so a buffer. */
export class ArmCameras {
  readonly #rasterizers = new Map<string, Rasterizer>();

  render(camera: CameraModel, physics: ArmPhysics): Frame {
    const key = `${camera.width} x ${camera.height}`;
    let rasterizer = this.#rasterizers.get(key);
    if (!rasterizer) {
      rasterizer = new Rasterizer(camera.width, camera.height);
      this.#rasterizers.set(key, rasterizer);
    }
    return rasterizer.render(physics.shapes(), viewOf(camera, physics));
  }

  all(physics: ArmPhysics): { camera: CameraModel; frame: Frame }[] {
    return CAMERAS.map((camera) => ({ camera, frame: this.render(camera, physics) }));
  }
}
