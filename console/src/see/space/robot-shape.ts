/** The robot by its URDF: where each link is, by /tf and by the joints. Pure. */
import { readUrdf, readVisuals, type UrdfModel, type UrdfVisual } from '../../../../formats/urdf/index.ts';
import { compose, HERE, type Place, turnAbout, turnOf, type Vec } from './space-frames.ts';

export type RobotShape = { readonly model: UrdfModel; readonly visuals: readonly UrdfVisual[] };

/** Throws where the text is not a URDF. */
export function shapeOf(urdf: string): RobotShape {
  return { model: readUrdf(urdf), visuals: readVisuals(urdf) };
}

export const originOf = ({ xyz, rpy }: { readonly xyz: Vec; readonly rpy: Vec }): Place => ({
  at: xyz,
  turn: turnOf(rpy),
});

/**
 * Places of the links in the fixed frame. A link that /tf knows (`find`) is there; below it the joints decide, whose
 * positions are radians and metres. A robot of which nothing is known stands at the origin.
 */
export function placeLinks(
  { joints, root, links }: UrdfModel,
  positions: ReadonlyMap<string, number>,
  find: (link: string) => Place | undefined,
): ReadonlyMap<string, Place> {
  const above = new Map(joints.map((one) => [one.child, one]));
  const known = new Map(links.map((link) => [link, find(link)]));
  const isNowhere = [...known.values()].every((place) => place === undefined);
  const placed = new Map<string, Place>();
  const place = (link: string): Place | undefined => {
    const done = placed.get(link);
    if (done) return done;
    const joint = above.get(link);
    const found =
      known.get(link) ??
      (joint ? below(place(joint.parent), joint) : isNowhere && link === root ? HERE : undefined);
    if (found) placed.set(link, found);
    return found;
  };
  const below = (parent: Place | undefined, joint: UrdfModel['joints'][number]) =>
    parent && compose(compose(parent, originOf(joint)), moveOf(joint, positionOf(joint, positions)));
  for (const link of links) place(link);
  return placed;
}

function positionOf(
  { name, mimic }: UrdfModel['joints'][number],
  positions: ReadonlyMap<string, number>,
): number {
  const own = positions.get(name);
  if (own !== undefined || !mimic) return own ?? 0;
  return mimic.multiplier * (positions.get(mimic.joint) ?? 0) + mimic.offset;
}

function moveOf({ type, axis }: UrdfModel['joints'][number], position: number): Place {
  if (type === 'prismatic')
    return { at: axis.map((one) => one * position) as unknown as Vec, turn: HERE.turn };
  return type === 'revolute' || type === 'continuous'
    ? { at: HERE.at, turn: turnAbout(axis, position) }
    : HERE;
}
