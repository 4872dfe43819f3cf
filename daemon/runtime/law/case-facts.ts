import {
  fieldsOf,
  intentRequestChecker,
  JUDGED_ACTIONS,
  NORMAL_PRIORITY,
  OBJECT_LANES,
  RUN_MESSAGE,
} from '../../../contract/index.ts';
import type { CaseRun } from './case-run.ts';
import { agreed, type CaseWorld, type JudgedTool, type PolicyCase, wrong } from './case-world.ts';
import { MOTION_TOOLS, motionFactsOf } from './motion-law.ts';

export type CaseFacts = Pick<PolicyCase, 'facts' | 'about'>;
type Facts = PolicyCase['facts'];

const ACTIONS: ReadonlySet<string> = new Set(JUDGED_ACTIONS);
const MOTIONS: ReadonlySet<string> = new Set(Object.values(MOTION_TOOLS));
/** What the daemon says of each motion, by its kind: so it has to be complete where a case says it. */
const OF_MOTION: Readonly<Record<string, readonly string[]>> = {
  navigate: ['x_m', 'y_m', 'yaw', 'via', 'x_min_m', 'x_max_m', 'y_min_m', 'y_max_m'],
  ...{ drive: ['distance_m'], spin: ['angle_rad'], wait: ['wait_ms'] },
  ...{ follow: ['points', 'duration_ms'], gripper: ['opening_m', 'effort_n'] },
};
const TOOL_OF: Readonly<Record<string, string>> = {
  ...{ navigate: MOTION_TOOLS.navigate, follow: MOTION_TOOLS.follow, gripper: MOTION_TOOLS.gripper },
  ...{ drive: MOTION_TOOLS.maneuver, spin: MOTION_TOOLS.maneuver, wait: MOTION_TOOLS.maneuver },
};
/** The same of actions. `known`: always the same. */
const OF_ACTION: Readonly<Record<string, { readonly known?: Facts; readonly needed: readonly string[] }>> = {
  'robot.teleoperate': { known: { motion: 'teleoperate', frame: 'base_link' }, needed: ['role'] },
  'controller.run': { known: { motion: 'controller' }, needed: ['controller'] },
  'ros.goal': { needed: ['action', 'type', 'motion'] },
  'ros.call': { needed: ['service', 'type'] },
  'ros.params': { needed: ['node', 'names'] },
  'ros.lifecycle': { needed: ['node', 'transition'] },
  'bag.play': { known: { motion: 'play' }, needed: ['path', 'to', 'rate'] },
};

/** A tool, a motion, or an action that lets the robot move. */
export function factsOfTool(one: PolicyCase, run: CaseRun, world: CaseWorld): CaseFacts {
  const { subject, about, origin } = one;
  const isOfRun = run.intent !== undefined;
  const direct = origin === 'mcp' && !isOfRun ? world.mcpTools.get(subject) : undefined;
  const tool = direct ?? world.tools.get(subject);
  const effect = effectOf(subject, about['effect'], tool);
  const { within } = about;
  if (within !== undefined && !MOTIONS.has(subject))
    throw wrong('about', `within = "${within}": only a motion is a part of another tool`);
  const known = { effect, ...(isOfRun ? { intent: run.intent } : {}) };
  return { facts: toolFacts(one, tool), about: agreed(known, about, 'about') };
}

function effectOf(subject: string, given: string | undefined, tool: JudgedTool | undefined): string {
  const effect = tool?.effect ?? (ACTIONS.has(subject) ? 'actuate' : given);
  const effects = `"read", "write" or "actuate"`;
  if (effect === undefined)
    throw wrong(
      'about',
      `the effect of ${subject} is not known without its program: about = { effect = ${effects} }`,
    );
  if (!['read', 'write', 'actuate'].includes(effect))
    throw wrong('about', `effect = ${effects}, not "${effect}"`);
  return effect;
}

function toolFacts({ subject, facts, about }: PolicyCase, tool: JudgedTool | undefined): Facts {
  const motion = facts['motion'];
  if (MOTIONS.has(subject) && (motion !== undefined || about['within'] === 'ros.goal'))
    return asSeen(subject, { ...facts, motion: motionOf(subject, motion) }, motionNeeds(motion));
  // Through the API a controller is started by an action, which has facts and no arguments.
  if (ACTIONS.has(subject) && (tool === undefined || motion !== undefined)) {
    const { known = {}, needed } = OF_ACTION[subject]!;
    return asSeen(subject, agreed(known, facts, 'facts'), [...needed, ...motionNeeds(motion)]);
  }
  if (tool === undefined) return facts;
  const fault = tool.args.fault(facts);
  if (fault !== undefined) throw wrong('facts', `no arguments of ${subject}: ${fault}`);
  return { ...facts, ...motionFactsOf(subject, facts) };
}

function motionOf(subject: string, motion: unknown): unknown {
  if (TOOL_OF[String(motion)] === subject) return motion;
  const kinds = Object.keys(TOOL_OF).filter((kind) => TOOL_OF[kind] === subject);
  throw wrong('facts', `motion of ${subject} is ${kinds.join(', ')}, not ${JSON.stringify(motion)}`);
}

function motionNeeds(motion: unknown): readonly string[] {
  return Object.hasOwn(OF_MOTION, String(motion)) ? OF_MOTION[String(motion)]! : [];
}

/** Facts that a case states whole, as policies see them: what is missing would be seen by no policy. */
function asSeen(subject: string, facts: Facts, needed: readonly string[]): Facts {
  const missing = needed.find((key) => facts[key] === undefined);
  if (missing === undefined) return facts;
  throw wrong('facts', `${missing} is missing: here as policies see ${subject}, docs/policies.md, Motions`);
}

/** An intent. */
export function factsOfIntent(
  { subject, facts, about }: PolicyCase,
  run: CaseRun,
  world: CaseWorld,
): CaseFacts {
  const stranger = Object.keys(facts).find((key) => !['type', 'params', 'targets', 'priority'].includes(key));
  if (stranger !== undefined)
    throw wrong('facts', `params, targets and priority, not "${stranger}": parameters are in facts.params`);
  const plain = { type: subject, params: {}, targets: [], priority: NORMAL_PRIORITY };
  const whole = { ...plain, ...agreed({ type: subject }, facts, 'facts') };
  const { params } = world.intents.get(subject)!;
  const fault = intentRequestChecker.fault(whole) ?? params.fault(whole.params);
  if (fault !== undefined) throw wrong('facts', `${subject} is refused before any policy is asked: ${fault}`);
  const targets = whole.targets as readonly string[];
  if (targets.length > 0 && !targets.includes(world.robot))
    throw wrong('facts', `this robot is ${world.robot}, not ${targets.join(', ')}`);
  return { facts: whole, about: agreed({ intent: subject, app: run.app! }, about, 'about') };
}

/** A message to a run, which is judged as an intent. */
export function factsOfMessage({ subject, facts, about }: PolicyCase, run: CaseRun): CaseFacts {
  const { intent, app } = run;
  if (intent === undefined || app === undefined)
    throw wrong('about', 'the run that is spoken to: about = { intent = "…" }');
  if (typeof fieldsOf(facts['message'])['kind'] !== 'string')
    throw wrong('facts', 'message = { kind = "steer", text = "…" }, as policies see it');
  const known = { run_id: subject.slice(RUN_MESSAGE.length), type: intent };
  return { facts: agreed(known, facts, 'facts'), about: agreed({ intent, app }, about, 'about') };
}

/** A model that is asked, by a run or outside of any. */
export function factsOfModel(
  { subject, facts, about }: PolicyCase,
  run: CaseRun,
  world: CaseWorld,
): CaseFacts {
  const model = world.models.get(subject);
  if (!model)
    throw wrong('subject', `no model ${subject}: there are ${[...world.models.keys()].join(', ') || 'none'}`);
  const { intent, app } = run.intent === undefined ? world.chat : run;
  return {
    facts: { images: 0, tools: [], ...agreed(model, facts, `facts of model ${subject}`) },
    about: agreed({ intent: intent!, app: app! }, about, 'about'),
  };
}

/** Who answers what somebody else asked for, and who takes a grant back. */
export function factsOfApproval({ subject, facts, about }: PolicyCase, tenant: string): CaseFacts {
  const at = subject.indexOf('/');
  if (at < 0) throw wrong('subject', 'what is approved, for example tool/robot.navigate or grant/g1');
  if (about['requester'] === undefined) throw wrong('about', 'the requester: about = { requester = "…" }');
  const known = { point: subject.slice(0, at), subject: subject.slice(at + 1) };
  return {
    facts: { decision: known.point === 'grant' ? 'revoke' : 'allow', ...facts },
    about: { tenant, ...agreed(known, about, 'about') },
  };
}

/** Data that leaves; for central by its lanes. */
export function factsOfEgress({ subject, facts, about }: PolicyCase): CaseFacts {
  const [destination, lane] = subject.split('/', 2) as [string, string | undefined];
  if (destination !== 'central') return { facts, about };
  const isFiles = OBJECT_LANES.some((name) => name === lane);
  if (!isFiles && !lane?.startsWith('events.'))
    throw wrong('subject', `central/ with events.CELL or one of ${OBJECT_LANES.join(', ')}`);
  const known = { destination, lane: lane!, kind: isFiles ? 'files' : 'events' };
  return { facts, about: agreed(known, about, 'about') };
}
