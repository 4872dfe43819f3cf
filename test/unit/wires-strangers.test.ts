import { describe, expect, it } from 'vitest';
import { videoOf } from '../../adapters/cosmos/nim-client.ts';
import { PieceJoiner, TRANSFER, UploadBudget } from '../../adapters/lerobot/pieces.ts';
import type { PolicyDoor } from '../../daemon/execution/serving/policy-door.ts';
import { LazyPolicy } from '../../formats/policy-wire/lazy-policy.ts';
import { cardOf } from '../../formats/policy-wire/remote-card.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { PuppetPolicy, Remembering, see, who } from '../fakes/puppet-policy.ts';
import { deskOf, specOf } from '../support/desk.ts';

describe('pieces of an observation', () => {
  it('that bring nothing, or next to nothing, are bounded by their count', () => {
    for (const bytes of [0, 1]) {
      const joiner = new PieceJoiner(32 * 1024 * 1024, new UploadBudget(128 * 1024 * 1024));
      const push = () => joiner.push({ transfer_state: TRANSFER.middle, data: new Uint8Array(bytes) });
      expect(() => {
        for (let i = 0; i < 100_000; i++) push();
      }).toThrow(expect.objectContaining({ code: 'wire.refused' }));
    }
  });
});

describe('the card that a server tells', () => {
  const card = { name: 'p', inputs: { x: [2] }, output: [8, 2], step_ms: 50 };

  it.each([
    ['actions for gigabytes', { output: [1, 2_000_000_000] }],
    ['actions beyond any memory', { output: [9_007_199_254_740_991, 9_007_199_254_740_991] }],
    ['inputs for gigabytes', { inputs: { x: [60_000, 60_000] } }],
    [
      'parts of less than nothing',
      {
        keys: {
          actions: [
            { key: 'a', size: -1 },
            { key: 'b', size: 3 },
          ],
        },
      },
    ],
  ])('with %s is none', (_, more) => {
    expect(cardOf(card, 'ab')).toMatchObject({ description: { output: [8, 2] } });
    expect(cardOf({ ...card, ...more }, 'ab')).toEqual(expect.any(String));
  });
});

describe('a film in an answer', () => {
  it('of blanks and one byte that is none is refused at once', () => {
    const odd = `AAAA${' '.repeat(200_000)}!`;
    const refused = expect.objectContaining({ code: 'model.failed' });
    expect(() => videoOf({ b64_video: odd }, 'predict')).toThrow(refused);
    const film = Buffer.from('\0\0\0\x20ftypisom').toString('base64');
    expect(videoOf({ b64_video: `${film.slice(0, 4)}\r\n${film.slice(4)}\n` }, 'p').data).toHaveLength(12);
    for (const bad of [`${film}!`, `${film.slice(0, 4)}=${film.slice(4)}`, '====', '\n'])
      expect(() => videoOf({ b64_video: bad }, 'predict')).toThrow(refused);
  }, 5_000);
});

describe('a policy that is loaded when it is first asked', () => {
  it('loads nothing any more once it is closed', async () => {
    const clock = new ManualClock();
    const loaded: PuppetPolicy[] = [];
    const lazy = new LazyPolicy(new PuppetPolicy().describe(), clock, async () => {
      loaded.push(new PuppetPolicy());
      loaded.at(-1)!.auto = true;
      return loaded.at(-1)!;
    });
    await lazy.infer(see(1), 1_000);
    await lazy.close();
    for (let i = 0; i < 3; i++)
      await expect(lazy.infer(see(1), 1_000)).rejects.toMatchObject({ code: 'model.unavailable' });
    expect(loaded.map(({ closed }) => closed)).toEqual([1]);
  });
});

describe('a caller with many sessions', () => {
  const asker = (door: PolicyDoor) => async (id: string, session?: string) =>
    (
      await door.infer(who(id), {
        ...{ observation: see(1), deadlineMs: 1_000, policy: undefined, prefix: undefined },
        ...{ call: undefined, session, reset: false },
      })
    ).actions.data[0];

  it('gives way itself: the episode of who has one goes on', async () => {
    const clock = new ManualClock();
    const { door } = await deskOf(clock, [specOf('p', () => new Remembering(), { sessionsMax: 4 })]);
    const ask = asker(door);
    expect(await ask('modest')).toBe(1);
    for (let i = 0; i < 20; i++) {
      await clock.advance(10);
      await ask('greedy', `s${i}`);
    }
    expect(await ask('modest')).toBe(2);
    door.close();
  });
});
