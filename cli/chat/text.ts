import { tail } from './asked.ts';
import type { Shown, Status } from './shown.ts';

/** What is shown, for people: undefined where a face shows it another way. Pure. */
export function textOf(shown: Shown): string | undefined {
  switch (shown.kind) {
    case 'session':
      return `session ${shown.session_id}`;
    case 'said':
      return shown.by === 'agent' ? clean(shown.text) : `${shown.by}> ${clean(shown.text)}`;
    case 'tool':
      return `-> ${shown.tool} ${clean(cut(JSON.stringify(shown.args) ?? ''))}`;
    case 'result':
      return `<- ${shown.tool} ${shown.ok ? 'ok' : 'FAILED'} after ${(shown.duration_ms / 1000).toFixed(1)} s: ${clean(shown.text)}`;
    case 'approval':
      return `?? ${shown.point} ${clean(shown.subject)}: ${clean(shown.reason)}\n   ${clean(cut(JSON.stringify(shown.facts) ?? ''))}\n   y or n (${tail(shown)})`;
    case 'approval_answered':
      return `   (${tail(shown)}) ${shown.decision}${shown.by === '' ? '' : ` by ${clean(shown.by)}`}${shown.reason === '' ? '' : `: ${clean(shown.reason)}`}`;
    case 'question':
      return `?? ${clean(shown.text)}${shown.choices.length > 0 ? ` [${shown.choices.map(clean).join(' | ')}]` : ''}\n   /answer TEXT`;
    case 'connection':
      return `!! ${shown.state === 'lost' ? 'connection lost, trying again' : 'connected'}: ${clean(shown.text)}`;
    case 'ended':
      return `session ${shown.status}: ${clean(shown.reason)}`;
    case 'note':
      return clean(shown.text);
    case 'error':
      return `!! ${clean(shown.text)}`;
    case 'token':
    case 'status':
      return undefined;
  }
}

/** One line of what is known: a part that was not reported is left out. */
export function statusLine(status: Status): string {
  const { state, reason, connected, model, thinking, cost_usd, context_used, context_size } = status;
  const why = reason !== '' && ['queued', 'asking', 'paused'].includes(state) ? `: ${reason}` : '';
  const context =
    context_used === undefined
      ? undefined
      : `${context_used}${context_size === undefined ? '' : ` of ${context_size}`} tokens`;
  return [
    connected ? `${state}${why}` : 'not connected',
    model,
    thinking === undefined ? undefined : `thinking ${thinking}`,
    context,
    cost_usd === undefined ? undefined : `${cost_usd.toFixed(4)} USD`,
  ]
    .filter((part) => part !== undefined)
    .map(clean)
    .join(' | ');
}

const LINE_MAX = 200;

function cut(text: string): string {
  return text.length <= LINE_MAX ? text : `${text.slice(0, LINE_MAX - 1)}…`;
}

/** Without what would move the cursor of a terminal or change its colours. */
export function clean(text: string): string {
  return text.replaceAll(/(?!\n)[\p{Cc}\p{Bidi_Control}]/gu, ' ');
}
