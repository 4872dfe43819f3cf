import { ARM_JOINTS, ARM_STEP_NS, type ArmJoint, CUBE, GRIPPER, JOINT_EFFORT_MAX } from './arm-model.ts';
import { OTHER_CUBES } from './arm-scene.ts';
import { quaternionOfRpy } from './geometry.ts';

/** What collides: everything with cubes and table, the arm not with itself. */
const WORLD = 'contype="1" conaffinity="3"';
const ARM = 'contype="2" conaffinity="1"';
const NOTHING = 'contype="0" conaffinity="0"';

/** Reflected inertia of motor and gear, and the servo on it: critically damped at about 45 rad/s. */
const ARMATURE = 0.1;
const SERVO_KP = 200;
const SERVO_KV = 9;
const JAW_KP = 400;
const JAW_KV = 8;

const BLUE = '0.16 0.35 0.62 1';
const GREY = '0.75 0.76 0.78 1';
const DARK = '0.2 0.21 0.23 1';
const CUBE_COLOURS = ['0.82 0.2 0.16 1', '0.2 0.6 0.25 1', '0.9 0.72 0.15 1'];

/** What a body of the arm looks like and collides with, by the length of its link. */
const SHAPES: Readonly<Record<string, string>> = {
  link_1: `<geom type="cylinder" fromto="0 0 0 0 0 -0.11" size="0.06" rgba="${GREY}" ${NOTHING}/>
      <geom type="capsule" fromto="0 0 -0.13 0 0.0642 -0.16977" size="0.045" rgba="${BLUE}" ${ARM}/>`,
  link_2: `<geom type="capsule" fromto="0 0 0 0 -0.305 0" size="0.037" rgba="${GREY}" ${ARM}/>`,
  link_3: `<geom type="sphere" size="0.042" rgba="${BLUE}" ${ARM}/>`,
  link_4: `<geom type="capsule" fromto="0 0 -0.02 0 0 -0.2" size="0.03" rgba="${GREY}" ${ARM}/>`,
  link_5: `<geom type="sphere" size="0.03" rgba="${BLUE}" ${ARM}/>`,
  link_6: `<geom type="cylinder" fromto="0 0 -0.012 0 0 0.002" size="0.02" rgba="${DARK}" ${ARM}/>`,
};

/**
 * The arm on its table as MJCF. Joints hold themselves against gravity as geared steppers do, so that a position
 * servo leaves no droop; cubes have free joints and are placed at the start of an episode.
 */
export function armWorldXml(): string {
  return `<mujoco model="ar4">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="${Number(ARM_STEP_NS) / 1e9}" integrator="implicitfast" cone="elliptic" impratio="10"/>
  <size memory="16M"/>
  <worldbody>
    <geom name="table" type="box" pos="0 -0.2 -0.02" size="0.6 0.55 0.02" rgba="0.62 0.55 0.45 1" ${WORLD} friction="1 0.005 0.0001"/>
    <geom name="floor" type="box" pos="0 0 -0.76" size="2.5 2.5 0.02" rgba="0.42 0.43 0.45 1" ${NOTHING}/>
    <geom name="ground" type="plane" pos="0 0 -0.74" size="0 0 1" group="5" ${WORLD}/>
    <geom name="target" type="box" pos="0 -0.3 0.0006" size="0.032 0.032 0.0004" rgba="0.25 0.6 0.85 1" ${NOTHING}/>
    <body name="base_link">
      <geom type="cylinder" fromto="0 0 0 0 0 0.04" size="0.075" rgba="${DARK}" ${NOTHING}/>
      ${armXml(ARM_JOINTS)}
    </body>
    ${cubesXml()}
  </worldbody>
  <tendon>
    <fixed name="opening"><joint joint="jaw_left" coef="1"/><joint joint="jaw_right" coef="1"/></fixed>
  </tendon>
  <equality>
    <joint joint1="jaw_left" joint2="jaw_right" polycoef="0 1 0 0 0" solref="0.01 1"/>
  </equality>
  <actuator>
${ARM_JOINTS.map(({ name }) => `    <position name="${name}" joint="${name}" kp="${SERVO_KP}" kv="${SERVO_KV}" forcerange="${-JOINT_EFFORT_MAX} ${JOINT_EFFORT_MAX}"/>`).join('\n')}
    <position name="gripper" tendon="opening" kp="${JAW_KP}" kv="${JAW_KV}" forcerange="${-GRIPPER.effortMax} ${GRIPPER.effortMax}"/>
  </actuator>
</mujoco>
`;
}

/** Each link within the one before it. */
function armXml([first, ...rest]: readonly ArmJoint[]): string {
  if (!first) return gripperXml();
  const { name, link, xyz, rpy, axis, lower, upper, mass } = first;
  const inertia = Math.max(1e-5, mass * 0.004);
  return `<body name="${link}" pos="${xyz.join(' ')}" quat="${quaternionOfRpy(rpy).join(' ')}" gravcomp="1">
      <inertial pos="0 0 0" mass="${mass}" diaginertia="${inertia} ${inertia} ${inertia}"/>
      <joint name="${name}" type="hinge" axis="${axis.join(' ')}" range="${lower} ${upper}" armature="${ARMATURE}" damping="0.5"/>
      ${SHAPES[link] ?? ''}
      ${armXml(rest)}
    </body>`;
}

function gripperXml(): string {
  return `<body name="tool0" gravcomp="1">
      <inertial pos="0 0 0.03" mass="0.08" diaginertia="0.00004 0.00004 0.00004"/>
      <geom name="palm" type="box" pos="0 0 0.02" size="0.05 0.02 0.016" rgba="${DARK}" ${ARM}/>
      ${jawXml('left', 1)}
      ${jawXml('right', -1)}
      </body>`;
}

/** A jaw slides along x of the tool; at 0 the two touch. */
function jawXml(name: string, side: 1 | -1): string {
  const { jawsFrom, jawsTo, openingMax } = GRIPPER;
  const half = (jawsTo - jawsFrom) / 2;
  return `<body name="jaw_${name}" pos="${side * 0.005} 0 ${jawsFrom + half}" gravcomp="1">
        <inertial pos="0 0 0" mass="0.02" diaginertia="0.00001 0.00001 0.00001"/>
        <joint name="jaw_${name}" type="slide" axis="${side} 0 0" range="0 ${openingMax / 2}" armature="0.02" damping="2"/>
        <geom name="jaw_${name}" type="box" size="0.005 0.011 ${half}" rgba="${BLUE}" ${ARM} friction="1.5 0.01 0.0002" condim="4"/>
      </body>`;
}

function cubesXml(): string {
  const half = CUBE.side / 2;
  return Array.from({ length: 1 + OTHER_CUBES }, (_, i) => {
    const colour = CUBE_COLOURS[i % CUBE_COLOURS.length]!;
    return `<body name="cube_${i}" pos="${0.2 * i} -0.5 ${half}">
      <freejoint name="cube_${i}"/>
      <geom name="cube_${i}" type="box" size="${half} ${half} ${half}" mass="${CUBE.mass}" rgba="${colour}" ${WORLD} friction="1 0.01 0.0002" condim="4"/>
    </body>`;
  }).join('\n    ');
}
