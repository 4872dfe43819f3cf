import type { AgentEvent } from '../../contract/core.ts';
import type { Shown } from './shown.ts';

type Entry = Readonly<Record<string, unknown>>;

/** What a person sees of an event of a session; nothing where it is no part of the conversation. Pure. */
export function shownOf(event: AgentEvent): readonly Shown[] {
  switch (event.kind) {
    case 'session.entry':
      return spoken(event.payload.entry as Entry);
    case 'run.message': {
      const { kind, body, principal } = event.payload;
      const { text, model, level } = body as Entry;
      if (typeof text === 'string' && (kind === 'steer' || kind === 'follow_up'))
        return [{ kind: 'said', by: principal, text }];
      // In words it is an order to the robot. That it stands is not known here.
      if (kind === 'stop' && typeof text === 'string')
        return [
          { kind: 'said', by: principal, text },
          { kind: 'note', text: `${principal}: the robot was ordered to stop` },
        ];
      return [{ kind: 'note', text: `${principal}: ${[kind, model ?? level ?? ''].join(' ').trim()}` }];
    }
    case 'tool.called': {
      const { call_id, tool, args } = event.payload;
      return [{ kind: 'tool', call_id, tool, args }];
    }
    case 'tool.returned': {
      const { call_id, tool, ok, result, error, duration_ms } = event.payload;
      const text = ok ? oneLine(result) : `${error?.code ?? 'failed'}: ${error?.message ?? ''}`;
      return [{ kind: 'result', call_id, tool, ok, text, duration_ms }];
    }
    case 'approval.requested': {
      const { approval_id, point, subject, reason, facts } = event.payload;
      return [{ kind: 'approval', approval_id, point, subject, reason, facts }];
    }
    case 'approval.answered': {
      const { approval_id, decision, by, reason } = event.payload;
      return [{ kind: 'approval_answered', approval_id, decision, by, reason }];
    }
    case 'question.asked': {
      const { question_id, text, choices } = event.payload;
      return [{ kind: 'question', question_id, text, choices: choices ?? [] }];
    }
    case 'run.finished': {
      const { status, reason } = event.payload;
      return [{ kind: 'ended', status, reason }];
    }
    case 'model.returned': {
      const { ok, error, model } = event.payload;
      return ok
        ? []
        : [{ kind: 'error', text: `model ${model ?? ''}: ${error?.message ?? 'gave no answer'}` }];
    }
    default:
      return [];
  }
}

/** Text of an answer of the agent. */
function spoken({ type, message }: Entry): readonly Shown[] {
  const { role, content } = (message ?? {}) as Entry;
  if (type !== 'message' || role !== 'assistant') return [];
  const parts = Array.isArray(content) ? (content as Entry[]) : [{ type: 'text', text: content }];
  const text = parts
    .map((part) => (part['type'] === 'text' && typeof part['text'] === 'string' ? part['text'] : ''))
    .join('');
  return text === '' ? [] : [{ kind: 'said', by: 'agent', text }];
}

const LINE_MAX = 200;

/** A result in one line: JSON, cut. */
function oneLine(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length <= LINE_MAX ? line : `${line.slice(0, LINE_MAX - 1)}…`;
}
