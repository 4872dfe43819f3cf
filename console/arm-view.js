/**
 * The arm as two line drawings and a bar for each joint. Metres in the frame that the answer names, x forward, y
 * left, z up (REP-103); angles in radians, shown in degrees too.
 */
import { at, drawn, element, say } from './elements.js';

/** Nearer to an end than this share of the range, a joint is shown to stand at it. */
const END_SHARE = 0.02;
const PAD = 0.12;
const FINGER = 0.09;

/** Shares of the reach that each view shows: to the left, to the right, up, down. */
const SIDE = { left: 0.8, right: 1 + PAD, up: 1 + PAD, down: 0.3 };
const TOP = { left: 1 + PAD, right: 1 + PAD, up: 1 + PAD, down: 1 + PAD };
/** A tool nearer to the upright through the base than this share of the reach has no heading: the last one stays. */
const UPRIGHT = 0.03;
let heading = 0;

export function showArm(figure) {
  at('arm-panel').hidden = false;
  const { points, reason, joints, gripper, motion, connected } = figure;
  say(at('arm-note'), noteOf(motion, connected, reason), connected ? '' : 'bad');
  at('arm-panel').classList.toggle('old', !connected);
  at('arm-views').hidden = points.length < 2;
  const hand = joints.find(({ name }) => name === gripper);
  if (points.length >= 2) showViews(figure, hand);
  showJoints(joints, gripper);
}

/** What is drawn stays, marked as old: without an answer it is not known where the arm is. */
export function ageArm(why) {
  say(at('arm-note'), `as last seen: ${why}`, 'bad');
  at('arm-panel').classList.add('old');
}

/** The side view is the upright plane through base and tool: there an arm has its full length, wherever it points. */
function showViews({ points, frame }, hand) {
  const reach = reachOf(points);
  const [base, tool] = [points[0], points.at(-1)];
  const out = Math.hypot(tool.x - base.x, tool.y - base.y);
  if (out > reach * UPRIGHT) heading = Math.atan2(tool.y - base.y, tool.x - base.x);
  const [c, s] = [Math.cos(heading), Math.sin(heading)];
  const along = ({ x, y }) => (x - base.x) * c + (y - base.y) * s;
  const side = `Side view in ${frame}: tool ${fixed(along(tool), 3)} m out, z ${fixed(tool.z, 3)} m`;
  const top = `Top view in ${frame}: tool at x ${fixed(tool.x, 3)} m, y ${fixed(tool.y, 3)} m`;
  const sideOf = (point) => [along(point), base.z - point.z];
  draw(at('arm-side'), SIDE, side, ['z ↑', 'out →'], { points, hand, reach, of: sideOf });
  const topOf = ({ x, y }) => [x - base.x, base.y - y];
  draw(at('arm-top'), TOP, top, ['y ↑', 'x →'], { points, hand, reach, of: topOf });
}

const noteOf = (motion, connected, reason) =>
  [connected ? motion : 'no joint states: as last seen', reason].filter(Boolean).join('; ');

/** `of` places a point in metres as a drawing has them, down from the top; the base is at zero. */
function draw(svg, view, label, names, { points, hand, reach, of }) {
  const [left, top] = [-reach * view.left, -reach * view.up];
  const [width, height] = [reach * (view.left + view.right), reach * (view.up + view.down)];
  const spots = points.map(of);
  const dot = reach * 0.028;
  svg.setAttribute('viewBox', `${left} ${top} ${width} ${height}`);
  svg.setAttribute('aria-label', label);
  svg.replaceChildren(
    ...grid(view === SIDE, reach, left, top, width, height),
    drawn('polyline', {
      ...{ class: 'arm-links', 'stroke-width': dot * 1.5 },
      points: spots.map((spot) => spot.join(',')).join(' '),
    }),
    ...spots
      .slice(0, -1)
      .map(([cx, cy]) => drawn('circle', { class: 'arm-joint', cx, cy, r: dot, 'stroke-width': dot * 0.5 })),
    ...fingers(spots, hand, reach, of, points, dot),
    ...axes(names, left, top, width, height, reach),
  );
}

/** Lines from the base on; in the side view the floor that it stands on is drawn stronger. */
function grid(hasFloor, reach, left, top, width, height) {
  const step = stepOf(reach);
  const lines = [];
  for (let at_ = Math.ceil(left / step) * step; at_ < left + width; at_ += step)
    lines.push(
      drawn('line', {
        class: 'arm-grid',
        x1: at_,
        x2: at_,
        y1: top,
        y2: top + height,
        'stroke-width': reach / 300,
      }),
    );
  for (let at_ = Math.ceil(top / step) * step; at_ < top + height; at_ += step) {
    const floor = hasFloor && Math.abs(at_) < step / 2;
    lines.push(
      drawn('line', {
        ...{ class: floor ? 'arm-floor' : 'arm-grid', x1: left, x2: left + width, y1: at_, y2: at_ },
        'stroke-width': floor ? reach / 100 : reach / 300,
      }),
    );
  }
  return lines;
}

const stepOf = (reach) => [0.05, 0.1, 0.2, 0.5, 1, 2, 5].find((step) => reach / step <= 5) ?? 10;

function axes([up, across], left, top, width, height, reach) {
  const size = width * 0.045;
  const text = (x, y, words) => {
    const made = drawn('text', { x, y, 'font-size': size });
    made.textContent = words;
    return made;
  };
  return [
    text(left + size * 0.4, top + size * 1.1, up),
    text(left + size * 0.4, top + height - size * 0.4, `${across}  grid ${stepOf(reach)} m`),
  ];
}

/**
 * Two jaws across the last link, as far apart as the hand is open. Schematic: where they are turned to is not
 * reported.
 */
function fingers(spots, hand, reach, of, points, dot) {
  if (!hand || typeof hand.position !== 'number') return [];
  const tool = spots.at(-1);
  const before = points.findLast((point) => distance(point, points.at(-1)) > reach * 0.005);
  const from = before ? of(before) : [tool[0] - 1, tool[1]];
  const long = Math.hypot(tool[0] - from[0], tool[1] - from[1]);
  // Seen along the last link the jaws lie beside each other.
  const along = long < reach * 0.01 ? [1, 0] : [(tool[0] - from[0]) / long, (tool[1] - from[1]) / long];
  const side = [-along[1], along[0]];
  const half = Math.max(0, hand.position) / 2 + dot * 0.4;
  const length = reach * FINGER;
  const point = (forward, aside) =>
    `${tool[0] + along[0] * forward + side[0] * aside},${tool[1] + along[1] * forward + side[1] * aside}`;
  const places = [point(length, half), point(0, half), point(0, -half), point(length, -half)];
  return [drawn('polyline', { class: 'arm-hand', points: places.join(' '), 'stroke-width': dot * 0.7 })];
}

/** The stretched length: equal in every pose, so that the drawing does not jump. */
function reachOf(points) {
  let length = 0;
  for (let i = 1; i < points.length; i++) length += distance(points[i - 1], points[i]);
  return Math.max(length, 0.05);
}

const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z);

const rows = new Map();
function showJoints(joints, gripper) {
  for (const [name, row] of rows) {
    if (joints.some((joint) => joint.name === name)) continue;
    row.remove();
    rows.delete(name);
  }
  for (const joint of joints) {
    const row = rows.get(joint.name) ?? newRow(joint.name);
    const [, value, bar, range] = row.children;
    const isHand = joint.name === gripper;
    say(
      value,
      isHand ? openingText(joint) : positionText(joint),
      endOf(joint) && !isHand ? 'figure bad' : 'figure',
    );
    barOf(bar.firstElementChild, joint);
    say(range, rangeText(joint, isHand), 'figure');
  }
}

function newRow(name) {
  const row = document.createElement('tr');
  const head = element('th', name);
  head.scope = 'row';
  const bar = document.createElement('td');
  bar.append(
    drawn('svg', {
      viewBox: '0 0 100 10',
      preserveAspectRatio: 'none',
      class: 'joint-bar',
      'aria-hidden': 'true',
    }),
  );
  row.append(head, element('td'), bar, element('td'));
  rows.set(name, row);
  at('arm-joints').append(row);
  return row;
}

/** From the middle of the range, or from zero where that lies within, to where the joint stands. */
function barOf(svg, { position, lower, upper }) {
  const known = [position, lower, upper].every((value) => typeof value === 'number') && upper > lower;
  const share = (value) => Math.min(100, Math.max(0, ((value - lower) / (upper - lower)) * 100));
  const zero = known ? share(Math.min(upper, Math.max(lower, 0))) : 0;
  const here = known ? share(position) : 0;
  svg.replaceChildren(
    drawn('rect', { class: 'joint-range', width: 100, height: 10, rx: 2 }),
    ...(known
      ? [
          drawn('rect', {
            class: 'joint-share',
            x: Math.min(zero, here),
            width: Math.abs(here - zero),
            height: 10,
          }),
          drawn('rect', {
            class: 'joint-here',
            x: Math.min(98.5, Math.max(0, here - 0.75)),
            width: 1.5,
            height: 10,
          }),
        ]
      : []),
  );
}

/** Never "-0.0". */
const fixed = (value, digits) => (Number(value.toFixed(digits)) || 0).toFixed(digits);
const degrees = (radians) => `${fixed((radians * 180) / Math.PI, 1)}°`;
const millimetres = (metres) => `${fixed(metres * 1000, 1)} mm`;

function positionText(joint) {
  const { kind, position } = joint;
  if (typeof position !== 'number') return 'not reported';
  const end = endOf(joint);
  const said = kind === 'slides' ? millimetres(position) : `${degrees(position)} (${fixed(position, 3)} rad)`;
  return end ? `${said}, at its ${end} limit` : said;
}

function openingText({ position, upper }) {
  if (typeof position !== 'number') return 'not reported';
  const share = typeof upper === 'number' && upper > 0 ? position / upper : undefined;
  const word =
    share === undefined ? '' : share < END_SHARE ? ', closed' : share > 1 - END_SHARE ? ', open' : '';
  return `${millimetres(position)}${word}`;
}

function rangeText({ kind, lower, upper }, isHand) {
  if (typeof lower !== 'number' || typeof upper !== 'number') return 'no limits known';
  const one = kind === 'slides' || isHand ? millimetres : degrees;
  return `${one(lower)} to ${one(upper)}`;
}

function endOf({ position, lower, upper }) {
  if (![position, lower, upper].every((value) => typeof value === 'number') || upper <= lower) return '';
  const margin = (upper - lower) * END_SHARE;
  return position <= lower + margin ? 'lower' : position >= upper - margin ? 'upper' : '';
}
