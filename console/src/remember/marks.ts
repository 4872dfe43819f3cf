/** What was decided and what happened, as marks on the time of a recording. Pure. */

export type MarkKind = 'run' | 'decision' | 'tool' | 'fault' | 'stop' | 'note';
export type Mark = {
  readonly key: string;
  readonly kind: MarkKind;
  readonly timeS: number;
  /** When it was over: of a tool call, or of a note about a span. */
  readonly endS?: number;
  readonly text: string;
  readonly why: string;
  readonly runId?: string;
};

export const MARK_KINDS: readonly MarkKind[] = ['run', 'decision', 'tool', 'fault', 'stop', 'note'];

/** A row of `MARK_COLUMNS`. */
export type MarkRow = Readonly<Record<string, unknown>>;

const payload = (path: string) => `left(data->>'$.payload.${path}', 240)`;
/** Columns of a statement about events of a recording; `recorded_events` and `messages('/auraison/events')` have `data`. */
export const MARK_COLUMNS = [
  'epoch_ns(log_time) AS ns',
  "data->>'$.kind' AS kind",
  "data->>'$.run_id' AS run_id",
  "data->>'$.event_id' AS event_id",
  ...['call_id', 'tool', 'args', 'ok', 'error.message', 'phase', 'status', 'reason', 'decision', 'point'].map(
    (name) => `${payload(name)} AS ${name.split('.')[0]}`,
  ),
  ...['subject', 'text', 'answer', 'source', 'cell', 'model'].map((name) => `${payload(name)} AS ${name}`),
  `${payload('intent.type')} AS intent`,
].join(', ');
/** What is allowed as usual is no news. */
export const MARK_FILTER = `kind IN (${[
  ...['intent.accepted', 'intent.refused', 'run.started', 'run.finished', 'run.status', 'run.phase'],
  ...['tool.called', 'tool.returned', 'policy.decided', 'approval.requested', 'approval.answered'],
  ...['question.asked', 'question.answered', 'plan.made', 'plan.replanned', 'safety.stopped'],
  ...['estop.engaged', 'estop.released', 'command.refused', 'cell.degraded', 'model.returned'],
]
  .map((kind) => `'${kind}'`)
  .join(', ')}) AND decision IS DISTINCT FROM 'allow' AND NOT (kind = 'model.returned' AND ok = 'true')`;

/** Rows, oldest first, as marks; a tool call and its return are one. */
export function marksOf(rows: readonly MarkRow[]): Mark[] {
  const marks: Mark[] = [];
  const calls = new Map<string, number>();
  for (const row of rows) {
    const field = (name: string) => (typeof row[name] === 'string' ? (row[name] as string) : '');
    const timeS = Number(row['ns']) / 1e9;
    const call = field('call_id');
    if (field('kind') === 'tool.returned') {
      const at = calls.get(call);
      if (at === undefined) continue;
      const ok = field('ok') === 'true';
      const failed = ok ? {} : { kind: 'fault' as const, why: field('error') };
      marks[at] = { ...marks[at]!, endS: timeS, ...failed };
      continue;
    }
    const shown = shownAs(field);
    if (!shown) continue;
    const [kind, text, why] = shown;
    if (kind === 'tool') calls.set(call, marks.length);
    const runId = field('run_id');
    marks.push({
      ...{ key: field('event_id') || String(marks.length), kind, timeS, text, why },
      ...(runId === '' ? {} : { runId }),
    });
  }
  return marks;
}

function shownAs(field: (name: string) => string): [MarkKind, string, string] | undefined {
  const why = field('reason');
  switch (field('kind')) {
    case 'intent.accepted':
      return ['run', `intent ${field('intent')}`, ''];
    case 'intent.refused':
      return ['fault', 'intent refused', why];
    case 'run.started':
      return ['run', 'run started', ''];
    case 'run.finished':
      return [field('status') === 'failed' ? 'fault' : 'run', `run ${field('status')}`, why];
    case 'run.status':
      return ['run', `run ${field('status')}`, why];
    case 'run.phase':
      return ['decision', field('phase'), why];
    case 'tool.called':
      return ['tool', field('tool'), field('args')];
    case 'policy.decided':
      return [
        field('decision') === 'deny' ? 'fault' : 'decision',
        `${field('decision') === 'deny' ? 'denied' : 'needs approval'}: ${field('point')} ${field('subject')}`,
        why,
      ];
    case 'approval.requested':
      return ['decision', `waits for approval of ${field('subject')}`, why];
    case 'approval.answered':
      return ['decision', `approval: ${field('decision')}`, why];
    case 'question.asked':
      return ['decision', `asks: ${field('text')}`, ''];
    case 'question.answered':
      return ['decision', `answer: ${field('answer')}`, ''];
    case 'plan.made':
    case 'plan.replanned':
      return ['decision', field('kind') === 'plan.made' ? 'plan made' : 'plan changed', why];
    case 'safety.stopped':
      return ['stop', 'robot stopped', why];
    case 'estop.engaged':
      return ['stop', 'emergency stop', why];
    case 'estop.released':
      return ['run', 'emergency stop released', why];
    case 'command.refused':
      return ['fault', 'command refused', why || field('error')];
    case 'cell.degraded':
      return ['fault', `cell degraded ${field('subject')}`.trim(), why];
    case 'model.returned':
      return ['fault', `model ${field('model')} gave no answer`.replace('  ', ' '), field('error')];
    default:
      return undefined;
  }
}

/** The last mark at or before a time: what the robot was doing. -1: none. */
export function markAt(marks: readonly Mark[], timeS: number): number {
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (marks[middle]!.timeS <= timeS + 1e-6) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
