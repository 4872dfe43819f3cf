/**
 * The arm as two line drawings and a bar for each joint. Metres in the frame that the answer names, x forward, y
 * left, z up (REP-103); angles in radians, shown in degrees too.
 */
import { useRef } from 'react';
import type { ArmFigure } from '../../../contract/ports/robot.ts';
import { call } from '../lib/api.ts';
import { type Polled, usePolled } from '../lib/polled.ts';
import {
  barOf,
  endOf,
  fingersOf,
  fixed,
  type Joint,
  linesOf,
  openingText,
  type Place,
  positionText,
  rangeText,
  reachOf,
  stepOf,
} from './arm-shapes.ts';

/** As fast as it is pleasant to look at. A robot without an arm is seldom asked again. */
const ARM_MS = 250;
const NO_ARM_MS = 10_000;
/** Drawn where it was, an arm looks as if it stood there. */
const ARM_ANSWER_MS = 2000;
const PAD = 0.12;
/** Shares of the reach that each view shows: to the left, to the right, up, down. */
const SIDE = { left: 0.8, right: 1 + PAD, up: 1 + PAD, down: 0.3 };
const TOP = { left: 1 + PAD, right: 1 + PAD, up: 1 + PAD, down: 1 + PAD };
/** A tool nearer to the upright through the base than this share of the reach has no heading: the last one stays. */
const UPRIGHT = 0.03;

/** Null: only an answer shows that there is no arm. */
async function askFigure(signal: AbortSignal): Promise<ArmFigure | null> {
  const response = await call('/v1/arm/figure', { answerMs: ARM_ANSWER_MS, signal });
  if (response.status === 204) return null;
  if (response.status !== 200) throw new Error(`the daemon answers ${response.status}`);
  return (await response.json()) as ArmFigure;
}

export const useArm = () =>
  usePolled<ArmFigure | null>('/v1/arm/figure', ARM_MS, {
    ask: askFigure,
    next: (figure) => (figure ? ARM_MS : NO_ARM_MS),
  });

export function ArmPanel({ arm }: { arm: Polled<ArmFigure | null> }) {
  const { data: figure, error, old } = arm;
  const heading = useRef(0);
  if (!figure) return null;
  const { points, reason, joints, gripper, motion, connected } = figure;
  const hand = joints.find(({ name }) => name === gripper);
  const says = [connected ? motion : 'no joint states: as last seen', reason].filter(Boolean).join('; ');
  const isOld = !connected || old;
  return (
    <section id="arm-panel" className={isOld ? 'arm old' : 'arm'} aria-labelledby="arm-title">
      <h2 id="arm-title">Arm</h2>
      <p id="arm-note" className={isOld ? 'bad' : ''}>
        {error ? `as last seen: ${error.message}` : says}
      </p>
      <div id="arm-views" hidden={points.length < 2}>
        {points.length >= 2 && <Views figure={figure} hand={hand} heading={heading} />}
      </div>
      <table>
        <caption className="unseen">Joints of the arm</caption>
        <thead>
          <tr>
            <th scope="col">joint</th>
            <th scope="col">position</th>
            <th scope="col" className="bar">
              in its range
            </th>
            <th scope="col">range</th>
          </tr>
        </thead>
        <tbody id="arm-joints">
          {joints.map((joint) => (
            <JointRow key={joint.name} joint={joint} isHand={joint.name === gripper} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The side view is the upright plane through base and tool: there an arm has its full length, wherever it points. */
function Views(props: { figure: ArmFigure; hand: Joint | undefined; heading: { current: number } }) {
  const { points, frame } = props.figure;
  const { hand, heading } = props;
  const reach = reachOf(points);
  const [base, tool] = [points[0]!, points.at(-1)!];
  const out = Math.hypot(tool.x - base.x, tool.y - base.y);
  if (out > reach * UPRIGHT) heading.current = Math.atan2(tool.y - base.y, tool.x - base.x);
  const [c, s] = [Math.cos(heading.current), Math.sin(heading.current)];
  const along = ({ x, y }: { x: number; y: number }) => (x - base.x) * c + (y - base.y) * s;
  const shared = { points, hand, reach };
  return (
    <>
      <figure>
        <Drawing
          {...shared}
          id="arm-side"
          view={SIDE}
          hasFloor
          label={`Side view in ${frame}: tool ${fixed(along(tool), 3)} m out, z ${fixed(tool.z, 3)} m`}
          axes={['z ↑', 'out →']}
          of={(point) => [along(point), base.z - point.z]}
        />
        <figcaption>side</figcaption>
      </figure>
      <figure>
        <Drawing
          {...shared}
          id="arm-top"
          view={TOP}
          label={`Top view in ${frame}: tool at x ${fixed(tool.x, 3)} m, y ${fixed(tool.y, 3)} m`}
          axes={['y ↑', 'x →']}
          of={({ x, y }) => [x - base.x, base.y - y]}
        />
        <figcaption>top</figcaption>
      </figure>
    </>
  );
}

function Drawing(props: {
  id: string;
  view: typeof SIDE;
  label: string;
  axes: readonly [up: string, across: string];
  hasFloor?: boolean;
  points: ArmFigure['points'];
  hand: Joint | undefined;
  reach: number;
  of: Place;
}) {
  const { id, view, label, axes, hasFloor = false, points, hand, reach, of } = props;
  const [left, top] = [-reach * view.left, -reach * view.up];
  const [width, height] = [reach * (view.left + view.right), reach * (view.up + view.down)];
  const spots = points.map(of);
  const dot = reach * 0.028;
  const step = stepOf(reach);
  const fingers = fingersOf(points, hand, reach, of, dot);
  const size = width * 0.045;
  return (
    <svg id={id} role="img" aria-label={label} viewBox={`${left} ${top} ${width} ${height}`}>
      {linesOf(left, width, step).map((x) => (
        <line
          key={`x${x}`}
          className="arm-grid"
          x1={x}
          x2={x}
          y1={top}
          y2={top + height}
          strokeWidth={reach / 300}
        />
      ))}
      {linesOf(top, height, step).map((y) => {
        // In the side view the floor that the arm stands on is drawn stronger.
        const floor = hasFloor && Math.abs(y) < step / 2;
        return (
          <line
            key={`y${y}`}
            className={floor ? 'arm-floor' : 'arm-grid'}
            x1={left}
            x2={left + width}
            y1={y}
            y2={y}
            strokeWidth={floor ? reach / 100 : reach / 300}
          />
        );
      })}
      <polyline
        className="arm-links"
        strokeWidth={dot * 1.5}
        points={spots.map((spot) => spot.join(',')).join(' ')}
      />
      {spots.slice(0, -1).map(([cx, cy], i) => (
        <circle key={points[i]!.link} className="arm-joint" cx={cx} cy={cy} r={dot} strokeWidth={dot * 0.5} />
      ))}
      {fingers && <polyline className="arm-hand" points={fingers} strokeWidth={dot * 0.7} />}
      <text x={left + size * 0.4} y={top + size * 1.1} fontSize={size}>
        {axes[0]}
      </text>
      <text x={left + size * 0.4} y={top + height - size * 0.4} fontSize={size}>
        {`${axes[1]}  grid ${step} m`}
      </text>
    </svg>
  );
}

function JointRow({ joint, isHand }: { joint: Joint; isHand: boolean }) {
  const bar = barOf(joint);
  return (
    <tr>
      <th scope="row">{joint.name}</th>
      <td className={endOf(joint) && !isHand ? 'figure bad' : 'figure'}>
        {isHand ? openingText(joint) : positionText(joint)}
      </td>
      <td>
        <svg viewBox="0 0 100 10" preserveAspectRatio="none" className="joint-bar" aria-hidden="true">
          <rect className="joint-range" width={100} height={10} rx={2} />
          {bar && (
            <>
              <rect
                className="joint-share"
                x={Math.min(bar.zero, bar.here)}
                width={Math.abs(bar.here - bar.zero)}
                height={10}
              />
              <rect
                className="joint-here"
                x={Math.min(98.5, Math.max(0, bar.here - 0.75))}
                width={1.5}
                height={10}
              />
            </>
          )}
        </svg>
      </td>
      <td className="figure">{rangeText(joint, isHand)}</td>
    </tr>
  );
}
