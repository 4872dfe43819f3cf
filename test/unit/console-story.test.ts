import { describe, expect, it } from 'vitest';
import { branchesOf } from '../../console/src/runs/branches.ts';
import { StoryBook, withoutSaid } from '../../console/src/story/story.ts';

/** What a run said, did and decided, as the pages show it. */
const event = (kind: string, payload: Record<string, unknown>) => ({
  kind,
  ts: '1700000000000000000',
  payload,
});
const answer = (text: string) =>
  event('session.entry', {
    entry: { type: 'message', message: { role: 'assistant', content: [{ type: 'text', text }] } },
  });

describe('the story of a run', () => {
  it('has words, tool calls with their result and images, and the reason of each decision', () => {
    const book = new StoryBook();
    const images = [{ mime: 'image/jpeg', sha256: 'a'.repeat(64), bytes: 9 }];
    book.take([
      event('run.status', { status: 'running', reason: 'first', by: 'ada' }),
      event('tool.called', { call_id: '1', tool: 'robot.look', args: { side: 'left' } }),
      event('policy.decided', { decision: 'allow', point: 'tool', subject: 'robot.look', reason: 'rule 1' }),
      event('policy.decided', { decision: 'deny', point: 'tool', subject: 'gate.open', reason: 'rule 2' }),
    ]);
    expect(book.story.items.map(({ kind }) => kind)).toEqual(['fact', 'tool', 'fact']);
    expect(book.story.items[1]).toMatchObject({ tool: 'robot.look', args: '{"side":"left"}' });
    expect(book.story.items[1]).not.toHaveProperty('ok');
    expect(book.story.items[2]).toMatchObject({ what: 'denied: tool gate.open', why: 'rule 2', look: 'bad' });
    const before = book.story;
    book.take([
      event('tool.returned', {
        call_id: '1',
        tool: 'robot.look',
        ok: true,
        result: 'a door',
        duration_ms: 5,
        images,
      }),
      answer('a door'),
      event('run.message', { kind: 'steer', body: { text: 'open it' }, principal: 'ada' }),
      event('run.finished', { status: 'failed', reason: 'no hand' }),
    ]);
    expect(book.story).not.toBe(before);
    expect(book.story.items[1]).toMatchObject({ ok: true, result: 'a door', images });
    expect(book.story.items.slice(3)).toMatchObject([
      { kind: 'said', by: 'agent', text: 'a door', toAgent: false },
      { kind: 'said', by: 'ada', text: 'open it', toAgent: true },
      { kind: 'fact', what: 'failed', why: 'no hand', look: 'bad' },
    ]);
  });

  it('counts context and cost, of what models answered', () => {
    const book = new StoryBook();
    const returned = (more: object) =>
      event('model.returned', { ok: true, tokens_in: 100, tokens_out: 5, model: 'small', ...more });
    expect(book.take([returned({})])).not.toHaveProperty('costUsd');
    expect(
      book.take([returned({ cost_usd: 0.25 }), returned({ tokens_in: 200, cost_usd: 0.5 })]),
    ).toMatchObject({
      ...{ model: 'small', contextUsed: 205, costUsd: 0.75 },
    });
    const failed = book.take([
      event('model.returned', { ok: false, model: 'small', error: { message: 'busy' } }),
    ]);
    expect(failed).toMatchObject({
      contextUsed: 205,
      items: [{ what: 'model small gave no answer', why: 'busy' }],
    });
  });

  it('shows of an answer that is written what is not yet said whole', () => {
    expect(withoutSaid('I see a do', [])).toBe('I see a do');
    expect(withoutSaid('I see. And', ['I see.'])).toBe(' And');
    expect(withoutSaid('see. And', ['I see.'])).toBe('');
  });
});

describe('a tree of runs', () => {
  it('hangs each below the run that asked for it, and a run without one at the root', () => {
    const run = (run_id: string, parent_run_id?: string) => ({
      run: {
        run_id,
        status: 'running' as const,
        harness: 'flow',
        attempt: 1,
        ...(parent_run_id ? { parent_run_id } : {}),
      },
      ...{ app: 'a', queued_ts: '1', reason: '' },
    });
    const [first, second] = branchesOf([run('a', 'gone'), run('b', 'a'), run('c', 'b'), run('d', 'd')]);
    expect([first!.details.run.run_id, first!.below[0]!.below[0]!.details.run.run_id]).toEqual(['a', 'c']);
    expect(second!.details.run.run_id).toBe('d');
  });
});
