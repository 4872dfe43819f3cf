import { describe, expect, it } from 'vitest';
import { type Intent, METHODS } from '../../contract/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeHouse } from '../support/house.ts';

describe('memory.recall', () => {
  it('finds texts of the tenant of its run, whatever its person may see, and says how it searched', async () => {
    const clock = new ManualClock();
    const bus = new FakeBus(clock);
    const house = makeHouse(bus, clock);
    const policy_ctx = { tenant: 'lab', principal: 'ada' };
    const scope = {
      ...{ runId: house.ids.next<string>(), callId: house.ids.next<string>(), clock },
      ...{ intent: { policy_ctx } as unknown as Intent, signal: new AbortController().signal },
    };
    const asked: unknown[] = [];
    const text = {
      id: 'note:1',
      kind: 'note',
      sha256: 'a'.repeat(64),
      score: 0.4,
      at: '1700000000000000000',
    };
    bus.handle(METHODS.memory.recall, async (body) => {
      asked.push(body);
      return {
        ...{
          recallId: 'r',
          at: '1',
          how: 'words',
          why: 'install it',
          model: '',
          modelSha256: '',
          waiting: 0,
        },
        ...{ unread: 3, notes: ['a folder'], sha256: 'b'.repeat(64) },
        texts: [{ ...text, source: 'run', text: 'the door' } as const],
      };
    });
    const args = {
      question: "'; DROP",
      kinds: ['note'],
      within_h: 2,
      limit: 3,
    };
    const { result } = await house.named('memory.recall').run(args, scope);
    const by = { tenant: 'lab', principal: 'ada', all: false };
    expect(asked).toEqual([
      { question: "'; DROP", kinds: ['note'], withinS: 7_200, limit: 3, runId: scope.runId, by },
    ]);
    expect(result).toEqual({
      recall_id: 'r',
      texts: [
        { id: 'note:1', kind: 'note', at: '2023-11-14T22:13:20.000Z', source: 'run', text: 'the door' },
      ],
      searched_by: 'words only: install it',
      not_read_yet: 3,
      missing: ['a folder'],
    });
  });
});
