import type { Vector } from './model.ts';
import { attribute, child, list, type Node, name, number, robotOf, vector } from './xml.ts';

/** What a link looks like. Metres, and roll, pitch, yaw in radians about fixed axes, in the frame of the link. */
export type UrdfVisual = {
  readonly link: string;
  readonly xyz: Vector;
  readonly rpy: Vector;
  /** Red, green, blue, opacity from 0 to 1; absent: none is given. */
  readonly rgba?: readonly [number, number, number, number];
  readonly shape:
    | { readonly kind: 'box'; readonly size: Vector }
    /** Along z. */
    | { readonly kind: 'cylinder'; readonly radius: number; readonly length: number }
    | { readonly kind: 'sphere'; readonly radius: number }
    | { readonly kind: 'mesh'; readonly file: string };
};

const VISUALS_MAX = 1_024;

/** The visual parts of a URDF. Throws `schema.invalid` as `readUrdf` does; a part without a known shape is left out. */
export function readVisuals(text: string): readonly UrdfVisual[] {
  const robot = robotOf(text);
  const colours = new Map<string, UrdfVisual['rgba']>();
  for (const material of list(robot, 'material')) {
    const called = attribute(material, 'name');
    if (called !== undefined) colours.set(called, rgbaOf(material));
  }
  const found: UrdfVisual[] = [];
  for (const link of list(robot, 'link')) {
    const called = name(link, 'link');
    for (const visual of list(link, 'visual')) {
      const shape = shapeOf(child(visual, 'geometry'), called);
      if (!shape || found.length >= VISUALS_MAX) continue;
      const origin = child(visual, 'origin');
      const material = child(visual, 'material');
      const rgba = material && (rgbaOf(material) ?? colours.get(attribute(material, 'name') ?? ''));
      found.push({
        link: called,
        xyz: vector(attribute(origin, 'xyz') ?? '0 0 0', `${called}/visual/xyz`),
        rpy: vector(attribute(origin, 'rpy') ?? '0 0 0', `${called}/visual/rpy`),
        ...(rgba ? { rgba } : {}),
        shape,
      });
    }
  }
  return found;
}

function shapeOf(geometry: Node | undefined, called: string): UrdfVisual['shape'] | undefined {
  if (!geometry) return undefined;
  const [box, cylinder, sphere, mesh] = ['box', 'cylinder', 'sphere', 'mesh'].map((tag) =>
    child(geometry, tag),
  );
  const value = (node: Node, key: string) => number(attribute(node, key) ?? '', `${called}/visual/${key}`);
  if (box) return { kind: 'box', size: vector(attribute(box, 'size') ?? '', `${called}/visual/size`) };
  if (cylinder)
    return { kind: 'cylinder', radius: value(cylinder, 'radius'), length: value(cylinder, 'length') };
  if (sphere) return { kind: 'sphere', radius: value(sphere, 'radius') };
  return mesh ? { kind: 'mesh', file: attribute(mesh, 'filename') ?? '' } : undefined;
}

function rgbaOf(material: Node): UrdfVisual['rgba'] {
  const text = attribute(child(material, 'color'), 'rgba')?.trim().split(/\s+/).map(Number) ?? [];
  const isColour = text.length === 4 && text.every((part) => part >= 0 && part <= 1);
  return isColour ? (text as unknown as UrdfVisual['rgba']) : undefined;
}
