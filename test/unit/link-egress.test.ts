import { describe, expect, it } from 'vitest';
import { PolicyBook } from '../../adapters/cedar/index.ts';
import { judge } from '../../central-link/central-state.ts';
import { EgressGuard } from '../../central-link/egress-guard.ts';
import { GuardedCentral } from '../../central-link/guarded-central.ts';
import type { AgentEvent, EdgeError, LinkBatch, NewEvent, Receipt } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const event = (kind: string) => ({ kind }) as AgentEvent;
const batch = (lane: string, kinds: string[]): LinkBatch => ({
  robot: 'tb1',
  epoch: 'e',
  lane,
  events: kinds.map(event),
});

describe('data that leaves the robot', () => {
  it('is asked for before each batch; what is denied waits and is tried again, and only changes are logged', async () => {
    const source = { text: 'permit (principal, action, resource);' };
    const hook = await PolicyBook.open({
      robot: 'tb1',
      clock: new ManualClock(),
      read: () => ({ policies: [{ file: 'p.cedar', text: source.text }], entities: { file: 'e', text: '' } }),
      standing: ({ roles }) => ({ ok: true, roles }),
    });
    const sent: LinkBatch[] = [];
    const logged: NewEvent[] = [];
    const central = new GuardedCentral(
      {
        push: async (one) => {
          sent.push(one);
          return {} as Receipt;
        },
        watermark: async () => undefined,
        close: async () => {},
      },
      new EgressGuard({ robot: 'tb1', hook, emit: async (events) => void logged.push(...events) }),
    );
    for (let i = 0; i < 5; i++) await central.push(batch('events.runtime', ['tool.called']));
    expect([sent.length, logged.length]).toEqual([5, 1]);
    source.text = `permit (principal, action, resource);
@id("private") forbid (principal, action == Auraison::Action::"egress", resource == Auraison::Egress::"central/events.runtime");`;
    await hook.reload();
    const refused = await central
      .push(batch('events.runtime', ['tool.called']))
      .catch((error: EdgeError) => error);
    expect(refused).toMatchObject({
      code: 'policy.denied',
      message: expect.stringContaining('p.cedar#private'),
    });
    // The lane waits and tries again; it neither stops for good nor counts as an outage.
    expect(judge(refused as EdgeError)).toBe('later');
    await central.push(batch('events.execution', ['segment.sealed']));
    expect(sent.map(({ lane }) => lane).slice(5)).toEqual(['events.execution']);
    expect(logged.map(({ payload }) => (payload as { decision: string }).decision)).toEqual([
      'allow',
      'deny',
      'allow',
    ]);
    source.text = 'permit (principal, action, resource);';
    await hook.reload();
    await central.push(batch('events.runtime', ['tool.called']));
    expect(sent).toHaveLength(7);
  });
});
