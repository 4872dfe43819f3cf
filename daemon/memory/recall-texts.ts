import {
  type AgentEvent,
  type EventKind,
  RECALL_LIMITS,
  type RecallBatch,
  type RecallText,
} from '../../contract/core.ts';

/** Tenant of this robot: its recordings and documents are not shared with guests. */
const OWNER = 'local';
/** Of the summary of a run, characters. */
const SUMMARY_CHARS = 1_000;

/** Events that have texts, and those that say what belongs to whom. */
export const RECALLED_KINDS = [
  ...(['intent.accepted', 'tool.called', 'tool.returned', 'run.finished', 'plan.made'] as const),
  ...(['question.asked', 'question.answered', 'approval.requested', 'approval.answered'] as const),
  ...(['policy.decided', 'recording.annotated', 'recall.answered'] as const),
] satisfies readonly EventKind[];

type Held = Pick<RecallBatch, 'held' | 'hold'>;
type Run = { readonly tenant: string; readonly type: string };
type Part = Pick<RecallText, 'kind' | 'text'> & {
  /** Within its kind. */
  readonly key: string;
  readonly tenant?: string;
  readonly source?: string;
};
export type Change = { readonly put: readonly RecallText[]; readonly remove: readonly string[] };

/**
 * What an event changes of the texts that are found. `held` keeps what a later event needs: to whom a run belongs, a
 * note until its call is answered, a question until its answer. Events come in the order of their log; twice is once.
 */
export function changeOf(event: AgentEvent, held: Held): Change {
  const part = partOf(event, held);
  if (part === undefined) return { put: [], remove: [] };
  const id = `${part.kind}:${part.key}`;
  const text = cleanText(part.text);
  if (text === '') return { put: [], remove: [id] };
  const run = event.run_id === undefined ? undefined : runOf(event.run_id, held);
  const { kind, tenant = run?.tenant ?? '', source = event.run_id ?? '' } = part;
  const from = { cell: event.cell, seq: event.seq };
  return { put: [{ id, kind, tenant, atUs: microseconds(event.ts), source, text, from }], remove: [] };
}

/** A text as it is kept and given: no control characters, no halves of characters, bounded. */
export function cleanText(text: string): string {
  return text
    .slice(0, 4 * RECALL_LIMITS.TEXT_CHARS_MAX)
    .replaceAll(/[^\P{Cc}\n\t]/gu, '')
    .trim()
    .slice(0, RECALL_LIMITS.TEXT_CHARS_MAX)
    .toWellFormed();
}

function partOf(event: AgentEvent, held: Held): Part | undefined {
  const { run_id: runId = '', seq } = event;
  switch (event.kind) {
    case 'intent.accepted': {
      const { type, policy_ctx } = event.payload.intent;
      held.hold(`run:${runId}`, JSON.stringify({ tenant: policy_ctx.tenant, type } satisfies Run));
      return undefined;
    }
    case 'tool.called': {
      const { tool, call_id, args } = event.payload;
      if (tool === 'memory.note') held.hold(`note:${call_id}`, noted(args));
      return undefined;
    }
    case 'tool.returned': {
      const { tool, call_id, ok, result } = event.payload;
      const note = tool === 'memory.note' ? taken(held, `note:${call_id}`) : undefined;
      // A note that a policy refused does not count.
      if (note !== undefined) return ok ? { kind: 'note', key: call_id, text: note } : undefined;
      const caption = ok ? result?.['caption'] : undefined;
      return typeof caption === 'string' ? { kind: 'caption', key: call_id, text: caption } : undefined;
    }
    case 'run.finished': {
      const { status, reason, summary } = event.payload;
      const { type = 'run' } = runOf(runId, held) ?? {};
      const said = strings(summary).join('; ').slice(0, SUMMARY_CHARS);
      return { kind: 'run', key: runId, text: [`${type} ${status}: ${reason}`, said].join('\n') };
    }
    case 'plan.made': {
      const { revision, plan } = event.payload;
      const steps = plan.steps.map(({ subgoal, params }) => [subgoal, ...strings(params)].join(' '));
      return { kind: 'plan', key: `${runId}.${revision}`, text: `${plan.goal}: ${steps.join(', ')}` };
    }
    case 'question.asked': {
      const { question_id, text, tenant } = event.payload;
      held.hold(`question:${question_id}`, JSON.stringify({ text, tenant }));
      return undefined;
    }
    case 'question.answered': {
      const { question_id, outcome, answer, by } = event.payload;
      const asked = parsed(taken(held, `question:${question_id}`));
      if (!asked || outcome !== 'answered' || answer === undefined) return undefined;
      const text = `${asked['text']}\n${by === '' ? 'answer' : by}: ${answer}`;
      return { kind: 'answer', key: question_id, text, tenant: asked['tenant']! };
    }
    case 'approval.requested': {
      const { approval_id, subject, reason, tenant } = event.payload;
      held.hold(`approval:${approval_id}`, JSON.stringify({ text: `${subject} (${reason})`, tenant }));
      return undefined;
    }
    case 'approval.answered': {
      const { approval_id, decision, by, reason } = event.payload;
      const asked = parsed(taken(held, `approval:${approval_id}`));
      if (!asked) return undefined;
      const text = `${asked['text']}: ${decision}${by === '' ? '' : ` by ${by}`}: ${reason}`;
      return { kind: 'decision', key: approval_id, text, tenant: asked['tenant']! };
    }
    case 'policy.decided': {
      const { decision, subject, reason } = event.payload;
      // What is allowed is most of what a run does, and says nothing.
      if (decision === 'allow') return undefined;
      return {
        kind: 'decision',
        key: `${event.cell}.${event.event_id}`,
        text: `${subject}: ${decision}: ${reason}`,
      };
    }
    case 'recording.annotated': {
      const { annotation_id, bag, label, text, removed } = event.payload;
      const words = removed ? '' : [label, text].filter((one) => one !== '').join(': ');
      return { kind: 'annotation', key: annotation_id, text: words, tenant: OWNER, source: bag };
    }
    case 'recall.answered': {
      const { recall_id, tenant } = event.payload;
      held.hold(`recall:${recall_id}`, JSON.stringify({ tenant, seq: seq.toString() }));
      return undefined;
    }
    default:
      return undefined;
  }
}

function noted(args: Readonly<Record<string, unknown>>): string | undefined {
  const { text, tags } = args;
  if (typeof text !== 'string') return undefined;
  const words = Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
  return words.length === 0 ? text : `${text}\n[${words.join(', ')}]`;
}

function taken(held: Held, key: string): string | undefined {
  const value = held.held(key);
  if (value !== undefined) held.hold(key, undefined);
  return value;
}

function runOf(runId: string, held: Held): Run | undefined {
  return parsed(held.held(`run:${runId}`)) as Run | undefined;
}

function parsed(value: string | undefined): Readonly<Record<string, string>> | undefined {
  return value === undefined ? undefined : (JSON.parse(value) as Record<string, string>);
}

/** The texts in a value of JSON, two levels deep. */
function strings(value: unknown, depth = 0): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null || depth > 2) return [];
  return Object.values(value).flatMap((one) => strings(one, depth + 1));
}

/** Nanoseconds as text. */
function microseconds(ts: string): number {
  return Number(BigInt(ts) / 1_000n);
}
