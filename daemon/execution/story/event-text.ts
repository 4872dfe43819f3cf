import type { AgentEvent, EventKind, EventPayload } from '../../../contract/core.ts';

const TEXT_MAX = 400;
const ARGS_MAX = 160;

/** Levels of rcl_interfaces/Log. */
export const LEVELS = { debug: 10, info: 20, warn: 30, error: 40 } as const;
export type Level = keyof typeof LEVELS;

type Line = { readonly level: Level; readonly text: string };
type Say<K extends EventKind> = (payload: EventPayload<K>) => Line;

const info = (text: string): Line => ({ level: 'info', text });
const warn = (text: string): Line => ({ level: 'warn', text });
const error = (text: string): Line => ({ level: 'error', text });

/** What a person reads first; every other kind is named with its payload. */
const LINES: { readonly [K in EventKind]?: Say<K> } = {
  'intent.accepted': ({ intent, app }) => info(`intent ${intent.type} for ${app}`),
  'intent.refused': ({ type, error: { code, message } }) =>
    warn(`intent ${type} refused: ${code}: ${message}`),
  'run.started': ({ attempt }) => info(attempt > 1 ? `run continues, attempt ${attempt}` : 'run started'),
  'run.phase': ({ phase, reason }) => info(`phase ${phase}${because(reason)}`),
  'run.status': ({ status, reason, by }) => info(`run ${status}${asked(by)}${because(reason)}`),
  'run.finished': ({ status, reason, by }) =>
    (status === 'failed' ? error : info)(`run ${status}${asked(by)}${because(reason)}`),
  'tool.called': ({ tool, args }) => info(`call ${tool} ${short(args, ARGS_MAX)}`),
  'tool.returned': ({ tool, ok, error: fault, result, duration_ms }) =>
    ok
      ? info(`${tool} returned after ${Math.round(duration_ms)} ms ${short(result, ARGS_MAX)}`)
      : warn(`${tool} failed: ${fault?.code ?? ''}: ${fault?.message ?? ''}`),
  'policy.decided': ({ hook, point, subject, decision, reason }) =>
    (decision === 'allow' ? info : warn)(`${hook}: ${decision} ${point} ${subject}${because(reason)}`),
  'model.called': ({ model, purpose }) => info(`ask ${model}: ${purpose}`),
  'model.returned': ({ ok, model = 'model', duration_ms, error: fault }) =>
    ok
      ? info(`${model} answered after ${Math.round(duration_ms)} ms`)
      : warn(`${model} failed: ${fault?.code ?? ''}: ${fault?.message ?? ''}`),
  'plan.made': ({ revision, plan, by }) =>
    info(
      `plan ${revision} by ${by}: ${short(
        plan.steps.map(({ subgoal }) => subgoal),
        ARGS_MAX,
      )}`,
    ),
  'plan.step_started': ({ subgoal, index, of }) => info(`plan step ${index + 1} of ${of}: ${subgoal}`),
  'plan.step_ended': ({ subgoal, outcome, reason }) =>
    (outcome === 'failed' ? warn : info)(`plan step ${subgoal} ${outcome}${because(reason)}`),
  'plan.replanned': ({ reason }) => warn(`another plan${because(reason)}`),
  'approval.requested': ({ subject, reason }) => warn(`approval needed for ${subject}${because(reason)}`),
  'approval.answered': ({ decision, by, reason }) =>
    info(`approval: ${decision}${by === '' ? '' : ` by ${by}`}${because(reason)}`),
  'question.asked': ({ text }) => info(`asks a person: ${text}`),
  'question.answered': ({ outcome, answer = '' }) => info(`question ${outcome}: ${answer}`),
  'lease.granted': ({ holder, role = '' }) => info(`lease granted to ${holder}${because(role)}`),
  'lease.released': ({ holder, reason }) => info(`lease of ${holder} ended${because(reason)}`),
  'motion.ended': ({ motion, outcome, duration_ms }) =>
    info(`${motion} ended: ${outcome} after ${Math.round(duration_ms)} ms`),
  'safety.stopped': ({ source, reason, by }) => warn(`stopped by ${source}${asked(by)}${because(reason)}`),
  'estop.engaged': ({ source, by, reason }) => error(`EMERGENCY STOP by ${source} ${by}${because(reason)}`),
  'estop.released': ({ source, by, reason }) =>
    warn(`emergency stop released by ${source} ${by}${because(reason)}`),
  'gate.limited': ({ source, verdict, reason, count }) =>
    warn(`gate ${verdict} ${count} steps of ${source}${because(reason)}`),
  'command.refused': ({ source, error: { code, message } }) =>
    warn(`command of ${source} refused: ${code}: ${message}`),
  'cell.degraded': ({ error: { code, message } }) => warn(`degraded: ${code}: ${message}`),
};

/** One readable line and its level, whatever the kind; at most 400 characters. */
export function lineOf({ kind, payload }: Pick<AgentEvent, 'kind' | 'payload'>): Line {
  const say = LINES[kind] as Say<EventKind> | undefined;
  const { level, text } = say?.(payload) ?? info(`${kind} ${short(payload, ARGS_MAX)}`);
  return { level, text: clip(text.replaceAll(/\s+/g, ' '), TEXT_MAX) };
}

/** The principal that asked for it, where it is known. */
function asked(by: string | undefined): string {
  return by === undefined || by === '' ? '' : `, asked for by ${by}`;
}

function because(reason: string): string {
  return reason === '' ? '' : ` (${reason})`;
}

function short(value: unknown, max: number): string {
  return value === undefined ? '' : clip(JSON.stringify(value), max);
}

/** Also ends a text between two halves of a character. */
export function clip(text: string, max: number): string {
  return text.length <= max ? text.toWellFormed() : `${text.slice(0, max - 1).toWellFormed()}…`;
}
