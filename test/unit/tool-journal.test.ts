import { describe, expect, it } from 'vitest';
import { ToolJournal } from '../../daemon/runtime/gate/tool-journal.ts';
import type { CallView } from '../../daemon/runtime/runs/run-view.ts';

const call = (callId: string, args: string, answered: boolean): CallView => ({
  callId,
  tool: 'robot.maneuver',
  args,
  effect: 'actuate',
  replay: 'never',
  originId: 'call_0',
  answer: answered ? { ok: true, result: { of: callId } } : undefined,
});

describe('calls that a model names', () => {
  it('are never taken for earlier ones of the same name: servers count from 0 in every answer', () => {
    const journal = new ToolJournal([call('a', '{"n":1}', true), call('b', '{"n":1}', false)]);
    const first = journal.recall('robot.maneuver', { n: 1 }, 'call_0');
    expect(first).toMatchObject({ kind: 'open', call: { callId: 'b' } });
  });

  it('are new ones where their arguments are others', () => {
    const journal = new ToolJournal([call('a', '{"n":1}', true)]);
    expect(journal.recall('robot.maneuver', { n: 2 }, 'call_0')).toEqual({ kind: 'new' });
    expect(journal.recall('robot.maneuver', { n: 1 }, 'call_0')).toMatchObject({ kind: 'answered' });
  });
});
