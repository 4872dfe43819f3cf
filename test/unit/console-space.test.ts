import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cloudPoints } from '../../console/src/see/space/cloud-points.ts';
import {
  argumentOf,
  eyeOf,
  FIRST,
  moved,
  orbitOf,
  turned,
  zoomed,
} from '../../console/src/see/space/orbit.ts';
import { placeLinks, shapeOf } from '../../console/src/see/space/robot-shape.ts';
import { SpaceBook } from '../../console/src/see/space/space-book.ts';
import {
  compose,
  invert,
  type Place,
  SpaceFrames,
  turnAbout,
  turnOf,
  type Vec,
} from '../../console/src/see/space/space-frames.ts';
import { spaceDrawingOf } from '../../console/src/see/space/space-layers.ts';

const near = (vec: Vec, to: Vec) => {
  for (const i of [0, 1, 2]) expect(vec[i]).toBeCloseTo(to[i]!, 6);
};
const at = (x: number, y: number, z: number, turn = turnOf([0, 0, 0])): Place => ({ at: [x, y, z], turn });

const URDF = `<robot name="lab">
  <material name="grey"><color rgba="0.5 0.5 0.5 1"/></material>
  <link name="base_link"><visual><geometry><box size="0.4 0.3 0.1"/></geometry><material name="grey"/></visual></link>
  <link name="upper"><visual><origin xyz="0 0 0.25"/><geometry><cylinder radius="0.05" length="0.5"/></geometry></visual>
    <visual><geometry><mesh filename="package://lab/upper.stl"/></geometry></visual></link>
  <link name="tool"/>
  <joint name="shoulder" type="revolute"><parent link="base_link"/><child link="upper"/>
    <origin xyz="0 0 0.1"/><axis xyz="0 1 0"/><limit lower="-3" upper="3" velocity="1" effort="1"/></joint>
  <joint name="slide" type="prismatic"><parent link="upper"/><child link="tool"/>
    <origin xyz="0 0 0.5"/><axis xyz="0 0 1"/><limit lower="0" upper="1" velocity="1" effort="1"/></joint>
</robot>`;

describe('frames in space', () => {
  it('join through any parent, and a loop or a number that is not finite changes nothing', () => {
    const frames = new SpaceFrames();
    frames.set('map', 'base', at(1, 2, 0, turnAbout([0, 0, 1], Math.PI / 2)));
    frames.set('base', '/camera', at(1, 0, 0.5));
    frames.set('map', 'goal', at(0, 0, 1));
    near(frames.find('map', 'camera')!.at, [1, 3, 0.5]);
    near(frames.find('goal', 'camera')!.at, [1, 3, -0.5]);
    frames.set('camera', 'map', at(0, 0, 0));
    frames.set('map', 'base', at(Number.NaN, 0, 0));
    frames.set('map', 'base', { at: [0, 0, 0], turn: [0, 0, 0, 0] });
    near(frames.find('map', 'camera')!.at, [1, 3, 0.5]);
    expect(frames.find('map', 'elsewhere')).toBeUndefined();
    expect(frames.rootOf('camera')).toBe('map');
  });

  it('are undone by their inverse (property)', () => {
    const number = fc.double({ min: -50, max: 50, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(number, number, number), fc.tuple(number, number, number), (xyz, rpy) => {
        const place: Place = { at: xyz, turn: turnOf(rpy) };
        near(compose(place, invert(place)).at, [0, 0, 0]);
        near(compose(invert(place), place).at, [0, 0, 0]);
      }),
    );
  });
});

describe('the links of a robot', () => {
  const { model, visuals } = shapeOf(URDF);

  it('hang on the joints where /tf does not say where they are', () => {
    const joints = new Map([
      ['shoulder', Math.PI / 2],
      ['slide', 0.2],
    ]);
    const free = placeLinks(model, joints, () => undefined);
    near(free.get('upper')!.at, [0, 0, 0.1]);
    near(free.get('tool')!.at, [0.7, 0, 0.1]);
    const base = at(5, 0, 0);
    const moving = placeLinks(model, joints, (link) => (link === 'base_link' ? base : undefined));
    near(moving.get('tool')!.at, [5.7, 0, 0.1]);
    const told = placeLinks(model, joints, (link) => (link === 'tool' ? at(9, 9, 9) : undefined));
    near(told.get('tool')!.at, [9, 9, 9]);
    // Nothing says where its base is.
    expect(told.has('base_link')).toBe(false);
  });

  it('have their shapes and colours, and meshes by name', () => {
    expect(visuals).toMatchObject([
      { link: 'base_link', rgba: [0.5, 0.5, 0.5, 1], shape: { kind: 'box', size: [0.4, 0.3, 0.1] } },
      { link: 'upper', xyz: [0, 0, 0.25], shape: { kind: 'cylinder', radius: 0.05, length: 0.5 } },
      { link: 'upper', shape: { kind: 'mesh', file: 'package://lab/upper.stl' } },
    ]);
  });

  it.each(['', '<robot', '<robot name="a"><link name="a"/><link name="b"/></robot>', 'a'.repeat(5_000_000)])(
    'are refused with the reason where the description is broken',
    (text) => {
      const book = new SpaceBook();
      book.describe('x');
      book.describe(text);
      expect(book.shape).toBeUndefined();
      expect(book.shapeFault).toMatch(/^URDF/);
    },
  );
});

describe('what a view in space draws', () => {
  const fields = ['x', 'y', 'z'].map((name, i) => ({ name, offset: 4 * i, datatype: 7, count: 1 }));
  const cloud = (points: readonly number[], more = {}) => ({
    header: { frame_id: 'lidar' },
    ...{ fields, point_step: 12, row_step: 4 * points.length, width: points.length / 3, height: 1 },
    ...{ data: new Uint8Array(Float32Array.from(points).buffer), is_bigendian: false },
    ...more,
  });

  it('reads clouds, leaves out what is not finite, and thins large ones', () => {
    expect([...cloudPoints(cloud([1, 2, 3, Number.NaN, 0, 0, 4, 5, 6]))!]).toEqual([1, 2, 3, 4, 5, 6]);
    const many = cloudPoints(cloud(Array.from({ length: 150_000 }, (_, i) => i)))!;
    expect(many.length).toBeLessThanOrEqual(60_000);
    expect(many.length).toBeGreaterThan(40_000);
  });

  it.each([
    ['no x', { fields: [] }],
    ['fields outside of a point', { point_step: 12, fields: fields.map((one) => ({ ...one, offset: 40 })) }],
  ])('draws no cloud with %s', (_, more) => {
    expect(cloudPoints(cloud([1, 2, 3], more))).toBeUndefined();
  });

  it('stops at the end of the data, whatever the width says', () => {
    expect([...cloudPoints(cloud([1, 2, 3], { width: 1e9 }))!]).toEqual([1, 2, 3]);
  });

  it('draws a camera by its calibration, and none that has none', () => {
    const info = (k: number[]) => ({ header: { frame_id: 'camera' }, width: 200, height: 100, k });
    expect(spaceDrawingOf('camera', info([100, 0, 100, 0, 100, 50, 0, 0, 1]))).toMatchObject({
      corners: [
        [-1, -0.5, 1],
        [1, -0.5, 1],
        [1, 0.5, 1],
        [-1, 0.5, 1],
      ],
    });
    expect(spaceDrawingOf('camera', info(Array(9).fill(0)))).toBeUndefined();
  });
});

describe('the camera of the view', () => {
  it('turns about its target, never over the top, and comes back from an address', () => {
    const low = turned(FIRST, 0, -9);
    expect(turned(FIRST, 0, 9).elevation).toBeLessThan(Math.PI / 2);
    expect(eyeOf(low)[2]).toBeLessThan(0);
    const eye = eyeOf(turned({ ...FIRST, target: [1, 1, 1] }, 1, 0));
    expect(Math.hypot(eye[0] - 1, eye[1] - 1, eye[2] - 1)).toBeCloseTo(FIRST.distance, 6);
    expect(zoomed(FIRST, 1e9).distance).toBe(0.1);
    const view = moved(zoomed(FIRST, 2), 1, 0.5);
    const again = orbitOf(argumentOf(view))!;
    expect(again.distance).toBeCloseTo(view.distance, 2);
    near(
      again.target.map((one) => Math.round(one * 100)) as unknown as Vec,
      view.target.map((one) => Math.round(one * 100)) as unknown as Vec,
    );
    for (const bad of ['', '1,2', 'a,b,c,d,e,f', '0,0,0,0,0,0', '0,0,0,0,0,-1'])
      expect(orbitOf(bad)).toBeUndefined();
  });
});
