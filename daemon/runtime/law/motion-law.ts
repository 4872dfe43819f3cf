import {
  EdgeError,
  type EventPayload,
  type GoalOf,
  type GripperArgs,
  goalOfGripper,
  goalOfManeuver,
  goalOfMove,
  goalOfNavigateArgs,
  type JudgedAction,
  type ManeuverArgs,
  type MotionFacts,
  type MotionKind,
  type MoveArgs,
  maneuverArgs,
  motionFacts,
  type NavigateArgs,
  type NewEvent,
  navigateArgs,
  type PolicyContext,
} from '../../../contract/index.ts';
import type { PolicyGate } from './policy-gate.ts';

/** The tool name that Cedar policies use for a motion, no matter which way it came. */
export const MOTION_TOOLS: { readonly [K in MotionKind]: string } = {
  navigate: 'robot.navigate',
  maneuver: 'robot.maneuver',
  follow: 'arm.move',
  gripper: 'arm.gripper',
};

const FROM_ARGS: Readonly<Record<string, (args: never) => MotionFacts>> = {
  'robot.navigate': (args: NavigateArgs) => motionFacts('navigate', goalOfNavigateArgs(args)),
  'robot.maneuver': (args: ManeuverArgs) => motionFacts('maneuver', goalOfManeuver(args)),
  'arm.move': (args: MoveArgs) => motionFacts('follow', goalOfMove(args)),
  'arm.gripper': (args: GripperArgs) => motionFacts('gripper', goalOfGripper(args)),
};

/** The facts of a call as a motion, for Cedar policies. Empty for a call that is no motion. */
export function motionFactsOf(
  tool: string,
  args: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const facts = Object.hasOwn(FROM_ARGS, tool) ? FROM_ARGS[tool] : undefined;
  try {
    return facts?.(args as never) ?? {};
  } catch {
    // A foreign tool has the name of a motion. Its arguments are judged as they are.
    return {};
  }
}

export type AskedMotion<K extends MotionKind = MotionKind> = {
  readonly kind: K;
  readonly goal: GoalOf<K>;
  readonly context: PolicyContext;
  /** The tool that makes the motion as a part of its work, and the run of that tool. */
  readonly within?: string;
  readonly runId?: string;
  readonly intent?: string;
};

/**
 * Asks the policies about something that lets the robot move without being a motion: steering by hand, a controller, a
 * goal of a ROS action, commands of a recording. Asked once, before it starts: what is commanded then is limited by the
 * gate of the execution cell. Rejects as `judgeMotion`.
 */
export async function judgeAction(
  hooks: Pick<PolicyGate, 'ask'>,
  emit: (events: readonly NewEvent[]) => Promise<void>,
  { tool, facts, motion }: JudgedAction,
  context: PolicyContext,
): Promise<void> {
  const judge = async (subject: string, known: JudgedAction['facts'], within: object): Promise<void> => {
    const about = { effect: 'actuate', ...within };
    const { refusal, approval, events } = await hooks.ask({
      ...{ point: 'tool', subject, context, facts: known, about },
    });
    await emit(events);
    if (refusal) throw approval ? nobodyIsAsked(refusal, subject) : refusal;
  };
  await judge(tool, facts, {});
  // The rules for a motion also apply where a foreign node makes it.
  if (motion) await judge(motion.tool, motion.facts, { within: tool });
}

/**
 * Asks the policies about one motion, as if it were a call of its own. Emits what was decided before it settles;
 * rejects with `policy.denied` or `policy.needs_approval`: no person is asked in the middle of a tool.
 */
export async function judgeMotion<K extends MotionKind>(
  hooks: Pick<PolicyGate, 'ask'>,
  emit: (events: readonly NewEvent[]) => Promise<void>,
  { kind, goal, context, within, runId, intent }: AskedMotion<K>,
): Promise<void> {
  const about = {
    effect: 'actuate',
    ...(intent === undefined ? {} : { intent }),
    ...(within === undefined ? {} : { within }),
  };
  const question = {
    point: 'tool',
    subject: MOTION_TOOLS[kind],
    context,
    facts: factsOf(kind, goal),
    about,
  } as const;
  const asked = runId === undefined ? question : { ...question, runId };
  const { refusal, approval, events } = await hooks.ask(asked, runId);
  await emit(within === undefined ? events : events.map((event) => decidedWithin(event, within)));
  if (refusal) throw approval ? nobodyIsAsked(refusal, MOTION_TOOLS[kind], within) : refusal;
}

/** The error names what to change: a person can approve a tool or a run before it starts, but no motion within it. */
function nobodyIsAsked(
  { code, operation, subject, message }: EdgeError,
  motion: string,
  within?: string,
): EdgeError {
  const begins =
    within === undefined ? 'ask for it as an intent' : `put @approve on Tool::"${within}", or on the intent`;
  const hint = `no person is asked about a single motion: ${begins}, and permit ${motion} without @approve`;
  return new EdgeError(code, { operation, subject, message, hint });
}

function factsOf(kind: MotionKind, goal: GoalOf<MotionKind>): Record<string, unknown> {
  const facts = motionFacts(kind, goal as never);
  if (kind === 'navigate') return { ...navigateArgs(goal as GoalOf<'navigate'>), ...facts };
  if (kind === 'maneuver') return { ...maneuverArgs(goal as GoalOf<'maneuver'>), ...facts };
  return { ...facts };
}

/** Adds the tool to a decision about a motion within that tool, so that a replay can distinguish it from a call. */
export function decidedWithin(event: NewEvent, within: string): NewEvent {
  const payload = event.payload as EventPayload<'policy.decided'>;
  const request = payload.request ?? {};
  const about = { ...((request as { about?: object }).about ?? {}), within };
  return { ...event, payload: { ...payload, request: { ...request, about } } } as NewEvent;
}

/** True for a decision about a motion that a tool made as a part of its work. */
export function isWithinTool({ request }: EventPayload<'policy.decided'>): boolean {
  return typeof (request as { about?: { within?: unknown } } | undefined)?.about?.within === 'string';
}
