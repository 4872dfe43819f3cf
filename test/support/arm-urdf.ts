import {
  ARM_FRAMES,
  ARM_JOINTS,
  GRIPPER,
  JOINT_EFFORT_MAX,
  JOINT_SPEED_MAX,
} from '../../sim/arm/arm-model.ts';

/**
 * The arm as URDF: the same geometry and limits as its physics. `ar4.urdf` in this folder is this text; a test
 * compares the two. `gripper` is the opening: its jaws mimic it by half each.
 */
export function armUrdf(): string {
  const joints = ARM_JOINTS.map((joint, i) => {
    const parent = i === 0 ? ARM_FRAMES.base : ARM_JOINTS[i - 1]!.link;
    return `  <link name="${joint.link}"/>
  <joint name="${joint.name}" type="revolute">
    <origin xyz="${numbers(joint.xyz)}" rpy="${numbers(joint.rpy)}"/>
    <parent link="${parent}"/>
    <child link="${joint.link}"/>
    <axis xyz="${numbers(joint.axis)}"/>
    <limit lower="${number(joint.lower)}" upper="${number(joint.upper)}" velocity="${number(JOINT_SPEED_MAX)}" effort="${JOINT_EFFORT_MAX}"/>
  </joint>`;
  });
  const { openingMax, speedMax, effortMax, grasp } = GRIPPER;
  return `<?xml version="1.0"?>
<!-- Written from sim/arm/arm-model.ts: lengths and limits of the AR4 MK3 as its ROS driver publishes them. -->
<robot name="ar4">
  <link name="${ARM_FRAMES.base}"/>
${joints.join('\n')}
  <link name="${ARM_FRAMES.tool}"/>
  <joint name="tool0_joint" type="fixed">
    <origin xyz="0 0 0" rpy="0 0 0"/>
    <parent link="link_6"/>
    <child link="${ARM_FRAMES.tool}"/>
  </joint>
  <link name="grasp_link"/>
  <joint name="grasp_joint" type="fixed">
    <origin xyz="0 0 ${number(grasp)}" rpy="0 0 0"/>
    <parent link="${ARM_FRAMES.tool}"/>
    <child link="grasp_link"/>
  </joint>
  <link name="gripper_link"/>
  <joint name="gripper" type="prismatic">
    <origin xyz="0 0 ${number(grasp)}" rpy="0 0 0"/>
    <parent link="${ARM_FRAMES.tool}"/>
    <child link="gripper_link"/>
    <axis xyz="1 0 0"/>
    <limit lower="0" upper="${openingMax}" velocity="${speedMax}" effort="${effortMax}"/>
  </joint>
</robot>
`;
}

function numbers(values: readonly number[]): string {
  return values.map(number).join(' ');
}

/** Ten digits: a micrometre at the end of the arm would already show. */
function number(value: number): string {
  return String(Number(value.toFixed(10)));
}
