import type { UrdfJoint, UrdfJointType, UrdfModel, Vector } from './model.ts';
import { attribute, bad, child, list, type Node, name, number, robotOf, vector } from './xml.ts';

export { URDF_BYTES_MAX } from './xml.ts';

const JOINTS_MAX = 1_024;

const TYPES: readonly string[] = ['revolute', 'continuous', 'prismatic', 'fixed', 'floating', 'planar'];

/**
 * Reads the kinematic part of a URDF; visual parts are left out. Throws `schema.invalid` with the
 * element that is wrong: no XML, unexpanded xacro, invalid numbers, links that form no tree.
 */
export function readUrdf(text: string): UrdfModel {
  const robot = robotOf(text);
  const links = list(robot, 'link').map((link) => name(link, 'link'));
  const joints = list(robot, 'joint').map(joint);
  if (joints.length > JOINTS_MAX) throw bad('robot', `${joints.length} joints, at most ${JOINTS_MAX}`);
  unique(links, 'link');
  unique(
    joints.map((one) => one.name),
    'joint',
  );
  for (const one of joints) {
    if (one.mimic && !joints.some(({ name: other }) => other === one.mimic!.joint))
      throw bad(one.name, `it mimics ${one.mimic.joint}, which is no joint`);
  }
  return { name: attribute(robot, 'name') ?? '', links, joints, root: rootOf(links, joints) };
}

function joint(node: Node): UrdfJoint {
  const called = name(node, 'joint');
  const type = attribute(node, 'type') ?? '';
  if (!TYPES.includes(type))
    throw bad(called, `type "${type.slice(0, 40)}", one of ${TYPES.join(', ')} expected`);
  const parent = attribute(child(node, 'parent'), 'link');
  const below = attribute(child(node, 'child'), 'link');
  if (parent === undefined || below === undefined) throw bad(called, 'it names no parent or no child');
  const origin = child(node, 'origin');
  const limit = limitOf(node, called, type as UrdfJointType);
  const mimic = mimicOf(node, called);
  return {
    name: called,
    type: type as UrdfJointType,
    parent,
    child: below,
    xyz: vector(attribute(origin, 'xyz') ?? '0 0 0', `${called}/origin/xyz`),
    rpy: vector(attribute(origin, 'rpy') ?? '0 0 0', `${called}/origin/rpy`),
    axis: unit(vector(attribute(child(node, 'axis'), 'xyz') ?? '1 0 0', `${called}/axis`), called),
    ...(limit ? { limit } : {}),
    ...(mimic ? { mimic } : {}),
  };
}

function limitOf(node: Node, called: string, type: UrdfJointType): UrdfJoint['limit'] {
  const told = child(node, 'limit');
  const bounded = type === 'revolute' || type === 'prismatic';
  if (!told) {
    if (bounded) throw bad(called, 'a joint of this type has a <limit>');
    return undefined;
  }
  const value = (key: string, fallback: number) => {
    const given = attribute(told, key);
    return given === undefined ? fallback : number(given, `${called}/limit/${key}`);
  };
  const limit = {
    lower: bounded ? value('lower', 0) : Number.NEGATIVE_INFINITY,
    upper: bounded ? value('upper', 0) : Number.POSITIVE_INFINITY,
    velocity: value('velocity', 0),
    effort: value('effort', 0),
  };
  if (limit.lower > limit.upper) throw bad(`${called}/limit`, 'lower is above upper');
  if (limit.velocity < 0 || limit.effort < 0) throw bad(`${called}/limit`, 'a limit is negative');
  return limit;
}

function mimicOf(node: Node, called: string): UrdfJoint['mimic'] {
  const told = child(node, 'mimic');
  if (!told) return undefined;
  const other = attribute(told, 'joint');
  if (other === undefined || other === called) throw bad(`${called}/mimic`, 'it names no other joint');
  return {
    joint: other,
    multiplier: number(attribute(told, 'multiplier') ?? '1', `${called}/mimic/multiplier`),
    offset: number(attribute(told, 'offset') ?? '0', `${called}/mimic/offset`),
  };
}

function rootOf(links: readonly string[], joints: readonly UrdfJoint[]): string {
  const known = new Set(links);
  const parents = new Map<string, string>();
  for (const { name: called, parent, child: below } of joints) {
    for (const link of [parent, below]) if (!known.has(link)) throw bad(called, `there is no link ${link}`);
    if (parents.has(below)) throw bad(called, `link ${below} has two parents`);
    parents.set(below, parent);
  }
  const roots = links.filter((link) => !parents.has(link));
  if (roots.length !== 1)
    throw bad(
      'robot',
      roots.length === 0 ? 'its links go in a circle' : `its links are no tree: ${roots.join(', ')}`,
    );
  for (const link of links) {
    let at = link;
    for (let i = 0; parents.has(at); i++) {
      if (i > links.length) throw bad('robot', `its links go in a circle at ${link}`);
      at = parents.get(at)!;
    }
  }
  return roots[0]!;
}

function unique(names: readonly string[], tag: string): void {
  const seen = new Set<string>();
  for (const one of names) {
    if (seen.has(one)) throw bad(one, `two of <${tag}> have this name`);
    seen.add(one);
  }
}

function unit([x, y, z]: Vector, called: string): Vector {
  const length = Math.hypot(x, y, z);
  if (!(length > 1e-9)) throw bad(`${called}/axis`, 'an axis of length zero');
  return [x / length, y / length, z / length];
}
