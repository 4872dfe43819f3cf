import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TransformStamped } from '../../formats/cdr/index.ts';
import { TfTree, type Transform } from '../../formats/ros2/tf-tree.ts';

type Pose = TransformStamped['transform'];
const still = { x: 0, y: 0, z: 0, w: 1 };
const at = (x: number, y = 0, z = 0, rotation = still): Pose => ({ translation: { x, y, z }, rotation });
const edge = (parent: string, child: string, transform: Pose, stamp = 1n): TransformStamped => ({
  header: { stamp, frame_id: parent },
  child_frame_id: child,
  transform,
});
const yaw = (angle: number) => ({ x: 0, y: 0, z: Math.sin(angle / 2), w: Math.cos(angle / 2) });

function treeOf(...edges: TransformStamped[]): TfTree {
  const tree = new TfTree();
  for (const one of edges) tree.update(one, false);
  return tree;
}

describe('the tree of frames', () => {
  it('puts a point of one frame into another, up, down and across', () => {
    const tree = treeOf(
      edge('map', 'odom', at(10, 0, 0, yaw(Math.PI / 2)), 30n),
      edge('odom', 'base_link', at(1), 20n),
      edge('map', 'dock', at(0, 5), 40n),
    );
    tree.update(edge('base_link', 'laser', at(0.2, 0, 0.3), 1n), true);
    // The laser sits 1.2 m along the odom x axis, which points along y of the map.
    expect(tree.lookup('map', 'laser').translation).toMatchObject({ x: 10, y: 1.2, z: 0.3 });
    expect(tree.lookup('map', 'laser').stamp).toBe(20n);
    expect(tree.lookup('laser', 'base_link').stamp).toBeUndefined();
    expect(tree.lookup('laser', 'base_link').translation.x).toBeCloseTo(-0.2, 12);
    const across = tree.lookup('dock', 'laser').translation;
    expect(across.x).toBeCloseTo(10, 12);
    expect(across.y).toBeCloseTo(-3.8, 12);
    expect(tree.lookup('odom', 'odom').translation).toEqual({ x: 0, y: 0, z: 0 });
    expect(tree.names()).toEqual(['base_link', 'dock', 'laser', 'map', 'odom']);
  });

  it('the newest transform counts, a static one stays, a leading slash is no matter', () => {
    const tree = treeOf(edge('map', 'odom', at(2), 20n), edge('map', 'odom', at(1), 10n));
    expect(tree.lookup('map', '/odom').translation.x).toBe(2);
    tree.update(edge('/odom', '/base', at(3), 1n), true);
    tree.update(edge('odom', 'base', at(9), 99n), false);
    expect(tree.lookup('odom', 'base').translation.x).toBe(3);
  });

  it('frames nobody told of, frames that nothing joins, circles and broken numbers are refused', () => {
    const tree = treeOf(edge('map', 'odom', at(1)), edge('other', 'thing', at(1)));
    expect(() => tree.lookup('map', 'nowhere')).toThrow(
      expect.objectContaining({ code: 'ros.not_found', subject: 'nowhere' }),
    );
    expect(() => tree.lookup('map', 'thing')).toThrow(/no chain of frames connects map and thing/);
    const malformed = expect.objectContaining({ code: 'sample.malformed' });
    expect(() => tree.update(edge('odom', 'map', at(1)), false)).toThrow(malformed);
    expect(() => tree.update(edge('odom', 'odom', at(1)), false)).toThrow(malformed);
    expect(() => tree.update(edge('map', '', at(1)), false)).toThrow(malformed);
    expect(() => tree.update(edge('map', 'x', at(Number.NaN)), false)).toThrow(malformed);
    const flat = { x: 0, y: 0, z: 0, w: 0 };
    expect(() => tree.update(edge('map', 'x', at(1, 0, 0, flat)), false)).toThrow(malformed);
    // What was refused left no trace.
    expect(tree.names()).toEqual(['map', 'odom', 'other', 'thing']);
  });

  it('there and back again is where one was, in any tree', () => {
    const part = fc.double({ min: -1, max: 1, noNaN: true });
    const turn = fc
      .tuple(part, part, part, part)
      .filter((q) => Math.hypot(...q) > 0.1)
      .map(([x, y, z, w]) => {
        const n = Math.hypot(x, y, z, w);
        return { x: x / n, y: y / n, z: z / n, w: w / n };
      });
    const step = fc.double({ min: -10, max: 10, noNaN: true });
    const link = fc.record({ parent: fc.nat(100), x: step, y: step, z: step, rotation: turn });
    fc.assert(
      fc.property(
        fc.array(link, { minLength: 1, maxLength: 12 }),
        fc.nat(100),
        fc.nat(100),
        (links, a, b) => {
          const tree = new TfTree();
          for (const [i, { parent, x, y, z, rotation }] of links.entries())
            tree.update(edge(`f${parent % (i + 1)}`, `f${i + 1}`, at(x, y, z, rotation)), false);
          const [from, to] = [`f${a % (links.length + 1)}`, `f${b % (links.length + 1)}`];
          const back = apply(tree.lookup(from, to), apply(tree.lookup(to, from), [1, 2, 3]));
          for (const [i, value] of [1, 2, 3].entries()) expect(back[i]).toBeCloseTo(value, 6);
        },
      ),
    );
  });
});

/** Rotation as a matrix: another way than the code under test goes. */
function apply(
  { translation: t, rotation: q }: Transform,
  [x, y, z]: [number, number, number],
): [number, number, number] {
  const { x: a, y: b, z: c, w } = q;
  return [
    t.x + (1 - 2 * (b * b + c * c)) * x + 2 * (a * b - c * w) * y + 2 * (a * c + b * w) * z,
    t.y + 2 * (a * b + c * w) * x + (1 - 2 * (a * a + c * c)) * y + 2 * (b * c - a * w) * z,
    t.z + 2 * (a * c - b * w) * x + 2 * (b * c + a * w) * y + (1 - 2 * (a * a + b * b)) * z,
  ];
}
