import type { Arena, Box } from './arena.ts';
import { ROBOT, STEP_S } from './robot-model.ts';

/** Groups of geoms: what the lidar sees is 0 and nothing else. */
export const GROUP_SEEN = 0;
const GROUP_FLOOR = 1;
const GROUP_ROBOT = 2;

/**
 * What collides with what: wheels and casters with the floor, the chassis with walls. Nothing else can touch,
 * so nothing else is looked at.
 */
const ON_FLOOR = 'contype="1" conaffinity="1"';
const WALL = 'contype="2" conaffinity="0"';
const CHASSIS = 'contype="0" conaffinity="2"';

const CASTER_RADIUS = 0.018;
/** Casters hang a little higher than the wheels, so that the wheels carry the robot. */
const CASTER_GAP = 0.0005;
const CASTER_X = 0.125;

/**
 * The world as MJCF. Elliptic friction cones with a high impedance ratio keep the wheels from slipping; casters
 * have priority, because the friction of a contact would otherwise be the greater one of its pair. The touch
 * sensor covers the chassis alone: wheels and casters are bodies of their own.
 */
export function worldXml(arena: Arena): string {
  const { start } = arena;
  return `<mujoco model="maze">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="${STEP_S}" integrator="implicitfast" cone="elliptic" impratio="10"/>
  <size memory="8M"/>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 1" group="${GROUP_FLOOR}" ${ON_FLOOR} friction="1 0.005 0.0001"/>
${arena.walls.map(wallXml).join('\n')}
    <body name="base" pos="${start.x} ${start.y} 0" euler="0 0 ${start.yaw}">
      <freejoint name="free"/>
      <geom name="chassis" type="cylinder" size="${ROBOT.radius} 0.045" pos="0 0 0.062" mass="${ROBOT.mass - 0.3}"
        group="${GROUP_ROBOT}" ${CHASSIS} friction="0.2 0.005 0.0001"/>
      <site name="bumper" type="cylinder" size="${ROBOT.radius + 0.03} 0.08" pos="0 0 0.062" group="4"/>
      ${wheelXml('left', 1)}
      ${wheelXml('right', -1)}
      ${casterXml('front', 1)}
      ${casterXml('back', -1)}
    </body>
  </worldbody>
  <actuator>
    ${motorXml('left')}
    ${motorXml('right')}
  </actuator>
  <sensor><touch name="touch" site="bumper"/></sensor>
</mujoco>
`;
}

function wallXml(wall: Box): string {
  const half = wall.height / 2;
  return `    <geom type="box" pos="${wall.x} ${wall.y} ${half}" size="${wall.halfX} ${wall.halfY} ${half}" group="${GROUP_SEEN}" ${WALL} friction="0.2 0.005 0.0001"/>`;
}

/** Spheres touch the floor in one point, so the separation is exact. */
function wheelXml(name: string, side: 1 | -1): string {
  const y = (side * ROBOT.wheelSeparation) / 2;
  return `<body name="${name}" pos="0 ${y} ${ROBOT.wheelRadius}">
        <joint name="${name}" type="hinge" axis="0 1 0" armature="0.0005"/>
        <geom type="sphere" size="${ROBOT.wheelRadius}" mass="0.12" group="${GROUP_ROBOT}" ${ON_FLOOR} friction="1.2 0.005 0.0001"/>
      </body>`;
}

function casterXml(name: string, side: 1 | -1): string {
  return `<body name="${name}" pos="${side * CASTER_X} 0 ${CASTER_RADIUS + CASTER_GAP}">
        <geom type="sphere" size="${CASTER_RADIUS}" mass="0.03" group="${GROUP_ROBOT}" ${ON_FLOOR} priority="1" friction="0.01 0.0001 0.0001"/>
      </body>`;
}

function motorXml(name: string): string {
  return `<velocity name="${name}" joint="${name}" kv="0.4" forcerange="-1.5 1.5"/>`;
}
