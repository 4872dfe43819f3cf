import type { ArmState, ControllerView, RobotState, WorldFacts } from '../../../contract/index.ts';

/** Facts that are kept; a robot with more signals than that is not planned for by all of them. */
const FACTS_MAX = 256;
const NAME = /^[A-Za-z0-9_./-]{1,128}$/;

/** What is known of the world, by the names that predicates use. What is not known is absent. Pure. */
export function worldFacts(
  robot: RobotState | undefined,
  arm: ArmState | undefined,
  mapCoverage: number | undefined,
  controllers: readonly ControllerView[] = [],
): WorldFacts {
  const facts: [string, number | boolean | string | undefined][] = [];
  if (robot) {
    const { pose, twist, battery, distance, bumps, motion, connected, signals } = robot;
    facts.push(
      ['robot.connected', connected],
      ['robot.motion', motion],
      ['robot.pose.x', pose && rounded(pose.x)],
      ['robot.pose.y', pose && rounded(pose.y)],
      ['robot.pose.yaw', pose && rounded(pose.yaw)],
      ['robot.linear', rounded(twist.linear)],
      ['robot.angular', rounded(twist.angular)],
      ['robot.battery', battery === undefined ? undefined : rounded(battery)],
      ['robot.distance', rounded(distance)],
      ['robot.bumps', bumps],
      ...Object.entries(signals).map(
        ([name, value]) => [`signals.${name}`, value] as [string, number | boolean],
      ),
    );
  }
  if (mapCoverage !== undefined) facts.push(['map.coverage', rounded(mapCoverage)]);
  if (arm) {
    facts.push(
      ['arm.connected', arm.connected],
      ['arm.motion', arm.motion],
      ...Object.entries(arm.joints).map(
        ([name, { position }]) => [`arm.joints.${name}.position`, rounded(position)] as [string, number],
      ),
    );
  }
  for (const { name, state } of controllers) facts.push([`controllers.${name}.state`, state]);
  const known = facts.filter(([name, value]) => NAME.test(name) && isValue(value)).slice(0, FACTS_MAX);
  return Object.fromEntries(known) as WorldFacts;
}

function isValue(value: unknown): boolean {
  return typeof value === 'number' ? Number.isFinite(value) : value !== undefined;
}

/** Millimetres and milliradians are finer than what anybody plans by. */
function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
