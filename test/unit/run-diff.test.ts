import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AgentEvent, DifferenceClass, NewEvent } from '../../contract/index.ts';
import { diffRuns } from '../../daemon/runtime/replay/run-diff.ts';
import { drawDiff } from '../../history/diff-text.ts';

const RUN = '018bcfe5-6800-7001-8202-020202020202';

function events(list: readonly NewEvent[]): AgentEvent[] {
  return list.map((event, i) => ({
    ...event,
    run_id: RUN,
    event_id: RUN,
    ts: String(i),
    cell: 'runtime',
    seq: i + 1,
    prev_hash: '',
    hash: '',
  })) as AgentEvent[];
}

const INTENT: NewEvent = {
  kind: 'intent.accepted',
  payload: {
    app: 'app',
    intent: {
      intent_id: RUN,
      type: 'app/go',
      params: { n: 1 },
      policy_ctx: { tenant: 'lab', principal: 'ada', roles: [], origin: 'cli' },
      targets: [],
      priority: 5,
    },
  },
};

/** One step of a run: a judged call with its result, a phase, a call of a model. */
function step(id: number, n: number): NewEvent[] {
  const call_id = `018bcfe5-6800-7001-8202-${String(id).padStart(12, '0')}`;
  const model_id = `018bcfe5-6800-7002-8202-${String(id).padStart(12, '0')}`;
  const sha = '0'.repeat(64);
  return [
    {
      kind: 'model.called',
      payload: { call_id: model_id, model: 'm', purpose: 'turn', parameters: {}, prompt_sha256: sha },
    },
    {
      kind: 'model.returned',
      payload: {
        call_id: model_id,
        ok: true,
        tokens_in: 1,
        tokens_out: 1,
        duration_ms: 5,
        answer: { text: `say ${n}` },
      },
    },
    {
      kind: 'policy.decided',
      payload: {
        hook: 'rules',
        point: 'tool',
        subject: 't',
        decision: 'allow',
        reason: 'fine',
        duration_us: id,
      },
    },
    {
      kind: 'tool.called',
      payload: { call_id, tool: 't', args: { n }, effect: 'read', replay: 'safe', deadline_ms: 10 },
    },
    { kind: 'tool.returned', payload: { call_id, tool: 't', ok: true, result: { n }, duration_ms: 3 } },
    { kind: 'run.phase', payload: { phase: `p${n % 3}`, reason: `after ${n}`, facts: { n } } },
    {
      kind: 'session.entry',
      payload: { session_id: RUN, entry_id: `e${id}`, entry: { type: 'message', text: `entry ${n}` } },
    },
  ];
}

const runs = fc
  .array(fc.integer({ min: 0, max: 5 }), { maxLength: 12 })
  .map((numbers) => [INTENT, ...numbers.flatMap((n, i) => step(i + 1, n))]);

const diff = (a: readonly NewEvent[], b: readonly NewEvent[]) =>
  diffRuns({ runId: 'a', events: events(a) }, { runId: 'b', events: events(b) });

describe('the difference of two runs', () => {
  it('of a run with itself is none, whatever its ids and times', () => {
    fc.assert(
      fc.property(runs, (run) => {
        const other = JSON.parse(
          JSON.stringify(run)
            .replaceAll('018bcfe5-6800-7001', '018bcfe5-7777-7001')
            .replaceAll('"duration_us":1', '"duration_us":9'),
        ) as NewEvent[];
        const found = diff(run, other);
        expect(found).toMatchObject({ identical: true, first: undefined, classes: {} });
        expect(found.rows.every((row) => row.same)).toBe(true);
      }),
    );
  });

  it('is the same from either side', () => {
    fc.assert(
      fc.property(runs, runs, (a, b) => {
        const mirrored = diff(b, a).rows.map((row) => ({
          ...row,
          a: row.b,
          b: row.a,
          left: row.right,
          right: row.left,
        }));
        expect(diff(a, b).rows).toEqual(mirrored);
      }),
    );
  });

  it('shows each line of both runs once and in order', () => {
    fc.assert(
      fc.property(runs, runs, (a, b) => {
        const { rows } = diff(a, b);
        const side = (key: 'a' | 'b') => rows.flatMap((row) => (row[key] === undefined ? [] : [row[key]]));
        const expected = (run: readonly NewEvent[]) => run.map((_, i) => i + 1);
        expect(side('a')).toEqual(expected(a));
        expect(side('b')).toEqual(expected(b));
      }),
    );
  });

  const changes: Record<
    Exclude<DifferenceClass, 'timing' | 'order'>,
    (event: NewEvent) => NewEvent | undefined
  > = {
    intent: (event) =>
      event.kind === 'intent.accepted'
        ? { ...event, payload: { ...event.payload, intent: { ...event.payload.intent, params: { n: 2 } } } }
        : undefined,
    policy: (event) =>
      event.kind === 'policy.decided'
        ? { ...event, payload: { ...event.payload, decision: 'deny' } }
        : undefined,
    arguments: (event) =>
      event.kind === 'tool.called' ? { ...event, payload: { ...event.payload, args: { n: 99 } } } : undefined,
    result: (event) =>
      event.kind === 'tool.returned'
        ? { ...event, payload: { ...event.payload, result: { n: 99 } } }
        : undefined,
    phase: (event) =>
      event.kind === 'run.phase'
        ? { ...event, payload: { ...event.payload, reason: 'otherwise' } }
        : undefined,
    'model answer': (event) =>
      event.kind === 'model.returned'
        ? { ...event, payload: { ...event.payload, answer: { text: 'no' } } }
        : undefined,
    session: (event) =>
      event.kind === 'session.entry'
        ? { ...event, payload: { ...event.payload, entry: { type: 'x' } } }
        : undefined,
  };
  it.each(Object.entries(changes))('finds one change of class %s, and only that', (name, change) => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 8 }),
        fc.nat(),
        (numbers, pick) => {
          const run = [INTENT, ...numbers.flatMap((n, i) => step(i + 1, n))];
          const at = run.flatMap((event, i) => (change(event) ? [i] : []));
          const index = at[pick % at.length]!;
          const other = run.map((event, i) => (i === index ? change(event)! : event));
          const found = diff(run, other);
          const different = found.rows.filter((row) => !row.same);
          expect(different).toMatchObject([{ class: name, a: index + 1, b: index + 1 }]);
          expect(found.rows[found.first!]).toEqual(different[0]);
        },
      ),
    );
  });

  it('tells steps that took clearly longer, and calls runs equal all the same', () => {
    const run = [INTENT, ...step(1, 1)];
    const slow = run.map((event) =>
      event.kind === 'tool.returned' ? { ...event, payload: { ...event.payload, duration_ms: 900 } } : event,
    ) as NewEvent[];
    expect(diff(run, slow)).toMatchObject({
      identical: true,
      timing: [{ step: 't #1', a_ms: 3, b_ms: 900 }],
      classes: { timing: -1 },
    });
  });

  it('is drawn within 100 columns, with the fields that differ, and no cursor moves', () => {
    const run = [INTENT, ...step(1, 1), ...step(2, 2)];
    const other = run.map((event) =>
      event.kind === 'tool.called'
        ? { ...event, payload: { ...event.payload, args: { n: 7, text: 'x\u001b[2J'.repeat(40) } } }
        : event,
    ) as NewEvent[];
    const text = drawDiff(diff(run, other), 100, false);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    expect(text).toContain('first difference: arguments');
    expect(text).toContain('args.n: 1 → 7');
    expect(text).not.toContain('\u001b');
  });

  it('is none where only random ids and wall times differ, wherever they stand', () => {
    const run = (server: string, child: string, time: string): NewEvent[] => {
      const [model, answer, ...rest] = step(1, 1);
      const calls = [{ id: `chatcmpl-tool-${server}`, name: 'run_spawn', arguments: '{}' }];
      const given = { run_id: child, status: 'queued', deadline: time };
      return [
        INTENT,
        model!,
        { ...answer!, payload: { ...answer!.payload, answer: { text: '', tool_calls: calls } } } as NewEvent,
        ...rest.map((event) => {
          if (event.kind === 'tool.returned')
            return { ...event, payload: { ...event.payload, result: given } } as NewEvent;
          if (event.kind !== 'session.entry') return event;
          const entry = { type: 'message', text: JSON.stringify(given) };
          return { ...event, payload: { ...event.payload, entry } } as NewEvent;
        }),
      ];
    };
    const a = run('9f8e', '018bcfe5-6800-7001-8202-aaaaaaaaaaaa', '1700000072500000000');
    const b = run('1a2b', '018bcfe5-6899-7001-8202-bbbbbbbbbbbb', '1700000099100000000');
    expect(diff(a, b)).toMatchObject({ identical: true, words: undefined });
  });

  it('is not hidden where two runs speak of different things by the same kind of id', () => {
    const ids = ['018bcfe5-6800-7001-8202-aaaaaaaaaaaa', '018bcfe5-6800-7001-8202-bbbbbbbbbbbb'];
    const run = (waited: number): NewEvent[] => {
      const spawn = (n: number) =>
        step(n, n).map((event) =>
          event.kind === 'tool.returned'
            ? { ...event, payload: { ...event.payload, result: { run_id: ids[n - 1] } } }
            : event,
        ) as NewEvent[];
      const wait = step(3, 3).map((event) =>
        event.kind === 'tool.called'
          ? { ...event, payload: { ...event.payload, args: { run_ids: [ids[waited]] } } }
          : event,
      ) as NewEvent[];
      return [INTENT, ...spawn(1), ...spawn(2), ...wait];
    };
    expect(diff(run(0), run(1)).words).toBe('call 3, t: argument run_ids.0 is "#id1" in a and "#id2" in b');
  });

  it.each([
    [
      'the arguments of a call',
      'tool.called',
      { args: { n: 7 } },
      'call 2, t: argument n is 2 in a and 7 in b',
    ],
    ['the tool of a call', 'tool.called', { tool: 'u' }, 'a has call 2, t; b has call 2, u'],
    [
      'its result',
      'tool.returned',
      { result: {} },
      'the result of call 2, t: result field n is 2 in a and missing in b',
    ],
    ['a phase', 'run.phase', { reason: 'tired' }, 'phase p2: reason is "after 2" in a and "tired" in b'],
    [
      'an answer',
      'model.returned',
      { answer: { text: 'no' } },
      'the answer of model call 2: answer.text is "say 2" in a and "no" in b',
    ],
    [
      'a decision',
      'policy.decided',
      { decision: 'deny' },
      'the decision of rules at point tool: decision is "allow" in a and "deny" in b',
    ],
  ])('names the step and what differs: %s', (_what, kind, change, words) => {
    const run = [INTENT, ...step(1, 1), ...step(2, 2), ...step(3, 3)];
    const at = run.findLastIndex((event, index) => event.kind === kind && index <= 14);
    const other = run.map((event, index) =>
      index === at ? { ...event, payload: { ...event.payload, ...change } } : event,
    ) as NewEvent[];
    expect(diff(run, other).words).toBe(words);
    expect(drawDiff(diff(run, other), 100, false).replaceAll(/\s+/g, ' ')).toContain(words);
  });

  it('of two long and unlike runs stays quick enough to be asked for', () => {
    const many = (from: number) => [
      INTENT,
      ...Array.from({ length: 600 }, (_, i) => step(i + 1, from + i)).flat(),
    ];
    const { rows, identical } = diff(many(0), many(10_000));
    expect(identical).toBe(false);
    expect(rows.length).toBeGreaterThan(4_000);
  });
});

describe('runs of 50,000 events', () => {
  const long = (changed: (n: number) => boolean): AgentEvent[] =>
    Array.from({ length: 50_000 }, (_, i) => {
      const call_id = `c${i >> 1}`;
      const payload =
        i % 2 === 0
          ? { call_id, tool: 'look', args: { n: i >> 1 }, effect: 'read', replay: 'safe', deadline_ms: 1 }
          : { call_id, tool: 'look', ok: true, result: { x: changed(i) ? 1 : 0 }, duration_ms: 1 };
      return { kind: i % 2 === 0 ? 'tool.called' : 'tool.returned', payload } as unknown as AgentEvent;
    });
  const plain = long(() => false);

  it.each([
    ['two changes at their ends', (n: number) => n === 101 || n === 49_001, 2],
    ['a change in each hundred', (n: number) => n % 100 === 1, 500],
    ['every answer another', (n: number) => n % 2 === 1, 25_000],
  ])('%s: these lines differ and no other', (_what, changed, count) => {
    const diff = diffRuns({ runId: 'a', events: plain }, { runId: 'b', events: long(changed) });
    const differing = diff.rows.filter((row) => !row.same);
    expect(differing).toHaveLength(count);
    for (const { left, right, ...row } of differing.slice(0, 50))
      expect(row, `${left} ${right}`).toMatchObject({ class: 'result' });
  });

  it('nothing in common: a picture all the same', () => {
    const other = plain.map((event, i) =>
      event.kind === 'tool.called'
        ? ({ ...event, payload: { ...event.payload, args: { other: i } } } as AgentEvent)
        : ({ ...event, payload: { ...event.payload, result: { other: i } } } as AgentEvent),
    );
    const { rows } = diffRuns({ runId: 'a', events: plain }, { runId: 'b', events: other });
    expect(rows).toHaveLength(50_000);
  });
});
