import { describe, expect, it } from 'vitest';
import { readUrdf, ToolPoint, toolChain } from '../../formats/urdf/index.ts';

/** Two links of 1 m and 0.5 m that turn about z, a slide, and a finger that mirrors the other. */
const ARM = `<?xml version="1.0"?>
<robot name="planar">
  <link name="base_link"/>
  <link name="upper"><visual><geometry><mesh filename="package://a/b.stl"/></geometry></visual></link>
  <link name="fore"/><link name="hand"/><link name="tool0"/><link name="left"/><link name="right"/>
  <joint name="shoulder" type="revolute">
    <origin xyz="0 0 0.3" rpy="0 0 0"/><parent link="base_link"/><child link="upper"/>
    <axis xyz="0 0 2"/><limit lower="-2.5" upper="2.5" velocity="1.5" effort="20"/>
  </joint>
  <joint name="elbow" type="continuous">
    <origin xyz="1 0 0"/><parent link="upper"/><child link="fore"/><axis xyz="0 0 1"/>
    <limit velocity="3" effort="5"/>
  </joint>
  <joint name="slide" type="prismatic">
    <origin xyz="0.5 0 0" rpy="0 1.5707963267948966 0"/><parent link="fore"/><child link="hand"/>
    <axis xyz="0 0 1"/><limit lower="0" upper="0.2" velocity="0.1" effort="1"/>
  </joint>
  <joint name="flange" type="fixed"><parent link="hand"/><child link="tool0"/></joint>
  <joint name="finger" type="prismatic"><parent link="hand"/><child link="left"/><axis xyz="0 1 0"/>
    <limit lower="0" upper="0.03" velocity="0.1" effort="10"/></joint>
  <joint name="finger_mirror" type="prismatic"><parent link="hand"/><child link="right"/><axis xyz="0 -1 0"/>
    <limit lower="0" upper="0.03" velocity="0.1" effort="10"/><mimic joint="finger" multiplier="0.5" offset="0.01"/></joint>
</robot>`;

const place = (tool: string, joints: readonly string[], positions: readonly number[]) => {
  const out = new Float64Array(3);
  new ToolPoint(toolChain(readUrdf(ARM), 'base_link', tool, joints)).place(positions, out);
  return [...out].map((value) => Math.round(value * 1e9) / 1e9 + 0);
};

describe('a URDF', () => {
  it('tells joints, limits and the tree', () => {
    const { root, joints, name } = readUrdf(ARM);
    expect([name, root, joints.map((joint) => joint.name)]).toEqual([
      'planar',
      'base_link',
      ['shoulder', 'elbow', 'slide', 'flange', 'finger', 'finger_mirror'],
    ]);
    expect(joints[0]).toMatchObject({
      axis: [0, 0, 1],
      limit: { lower: -2.5, upper: 2.5, velocity: 1.5, effort: 20 },
    });
    expect(joints[1]!.limit).toMatchObject({ lower: -Infinity, upper: Infinity, velocity: 3 });
    expect(joints[5]!.mimic).toEqual({ joint: 'finger', multiplier: 0.5, offset: 0.01 });
  });

  it('places the tool point: metres in the base frame', () => {
    const joints = ['shoulder', 'elbow', 'slide'];
    expect(place('tool0', joints, [0, 0, 0])).toEqual([1.5, 0, 0.3]);
    expect(place('tool0', joints, [Math.PI / 2, 0, 0])).toEqual([0, 1.5, 0.3]);
    expect(place('tool0', joints, [0, Math.PI / 2, 0.1])).toEqual([1, 0.6, 0.3]);
    // The order is that of who asks, and what he does not name stays at zero.
    expect(place('tool0', ['slide', 'shoulder'], [0.1, Math.PI])).toEqual([-1.6, 0, 0.3]);
    expect(place('right', ['finger'], [0.02])).toEqual([1.5, -0.02, 0.3]);
  });

  it.each([
    [
      'xacro',
      ARM.replace('<link name="upper">', '<xacro:link name="upper">').replace(
        '</visual></link>',
        '</visual></xacro:link>',
      ),
      /xacro/,
    ],
    ['a property', ARM.replace('"1 0 0"', '"$'.concat('{length} 0 0"')), /xacro/],
    ['no XML', ARM.slice(0, 400), /no XML/],
    ['another file', '<sdf version="1.9"></sdf>', /no element <robot>/],
    ['an entity', ARM.replace('<robot', '<!DOCTYPE r [<!ENTITY a "aaaa">]><robot'), /document type/],
    ['a number', ARM.replace('velocity="1.5"', 'velocity="fast"'), /shoulder\/limit\/velocity/],
    ['infinity', ARM.replace('upper="2.5"', 'upper="inf"'), /shoulder\/limit\/upper/],
    ['no limit', ARM.replace('<limit lower="0" upper="0.2" velocity="0.1" effort="1"/>', ''), /slide/],
    ['limits the wrong way round', ARM.replace('lower="-2.5"', 'lower="3"'), /lower is above upper/],
    ['no axis', ARM.replace('<axis xyz="0 0 2"/>', '<axis xyz="0 0 0"/>'), /length zero/],
    ['a circle', ARM.replace('<parent link="base_link"/>', '<parent link="tool0"/>'), /tree|circle/],
    ['two parents', ARM.replace('<child link="left"/>', '<child link="tool0"/>'), /two parents/],
    ['a strange link', ARM.replace('<child link="left"/>', '<child link="nowhere"/>'), /no link nowhere/],
    ['a name twice', ARM.replace('name="elbow"', 'name="shoulder"'), /two of <joint>/],
    ['a strange type', ARM.replace('type="fixed"', 'type="screw"'), /type "screw"/],
  ])('is refused with the place: %s', (_, text, message) => {
    expect(() => readUrdf(text)).toThrow(
      expect.objectContaining({ code: 'schema.invalid', message: expect.stringMatching(message) }),
    );
  });

  it('has no way to a tool that does not hang on the base', () => {
    expect(() => toolChain(readUrdf(ARM), 'fore', 'upper', [])).toThrow(/does not hang/);
  });
});
