import { expect, it } from 'vitest';
import type { MessageCodec } from '../../adapters/zenoh/ros/message-codec.ts';
import type { Entity } from '../../adapters/zenoh/ros/names.ts';
import { ServiceCaller } from '../../adapters/zenoh/ros/service-caller.ts';
import type { RosZenohSession } from '../../adapters/zenoh/ros/session.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** A server that has just announced itself, and whose queryable is not there yet. */
function rig() {
  const clock = new ManualClock();
  const end = { name: '/go', type: 'a/srv/B', hash: 'RIHS01_1' };
  const asked: PromiseWithResolvers<[]>[] = [];
  const query = () => {
    const replies = Promise.withResolvers<[]>();
    asked.push(replies);
    return replies.promise;
  };
  const session = {
    clock,
    options: { domain: 0 },
    types: { hash: () => end.hash },
    space: async () => ({ query }),
    announce: async () => ({ gid: new Uint8Array(16), undeclare: async () => {} }),
    graph: {
      listen: (listener: (entity: Entity, alive: boolean) => void) => {
        listener({ kind: 'SS', end } as Entity, true);
        return { cancel: () => {} };
      },
    },
  } as unknown as RosZenohSession;
  const codec = { encode: () => new Uint8Array(4) } as unknown as MessageCodec;
  const caller = new ServiceCaller(session, codec);
  return { clock, asked, call: caller.call.bind(caller, '/go', 'a/srv/B', {}) };
}

it('a request that nobody waits for any more is not sent again, whether its time or its caller ended it', async () => {
  for (const end of ['time', 'caller']) {
    const { clock, asked, call } = rig();
    const given = new AbortController();
    const answer = call({ timeoutMs: 60, signal: given.signal });
    await clock.advance(0);
    asked[0]!.resolve([]);
    await clock.advance(0);
    await clock.advance(50);
    expect(asked).toHaveLength(2);
    if (end === 'time') await clock.advance(10);
    else given.abort();
    asked[1]!.resolve([]);
    await expect(answer).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await clock.advance(400);
    expect(asked, end).toHaveLength(2);
  }
});

it('a request that was given up before it could be sent is not sent', async () => {
  const { clock, asked, call } = rig();
  const given = new AbortController();
  const answer = call({ timeoutMs: 60, signal: given.signal });
  given.abort();
  await expect(answer).rejects.toMatchObject({ code: 'deadline.exceeded' });
  await clock.advance(400);
  expect(asked).toEqual([]);
});
