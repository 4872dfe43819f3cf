import { describe, expect, it } from 'vitest';
import { EagerLoop } from '../../adapters/zenoh/eager-loop.ts';
import { EVENT } from '../../adapters/zenoh/native-batch.ts';
import type { EventSink } from '../../adapters/zenoh/native-pump.ts';
import { runQuery } from '../../adapters/zenoh/native-queries.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** An event loop by hand: `rounds` goes round as long as somebody asks for it, `ms` each. */
function loop() {
  const state = { now: 0, looks: 0, turns: [] as (() => void)[] };
  const eager = new EagerLoop({
    look: () => {
      state.looks += 1;
    },
    clock: { monotonicMs: () => state.now },
    next: (turn) => void state.turns.push(turn),
  });
  const rounds = (ms: number, most = 100) => {
    let count = 0;
    for (; state.turns.length > 0 && count < most; count++) {
      state.now += ms;
      for (const turn of state.turns.splice(0)) turn();
    }
    return count;
  };
  const answered = (afterMs: number) => {
    const begun = eager.begin();
    state.now += afterMs;
    eager.over(begun);
  };
  return { state, eager, rounds, answered };
}

describe('the loop that does not fall asleep', () => {
  it('goes round only where answers have lately come at once, and at most for a millisecond', () => {
    const { state, eager, rounds, answered } = loop();
    for (let i = 0; i < 3; i++) answered(0.3);
    expect(state.turns).toEqual([]);
    const begun = eager.begin();
    expect(rounds(0.1)).toBe(10);
    expect(state.looks).toBe(10);
    eager.over(begun);
    expect(state.turns).toEqual([]);
  });

  it('stops as soon as the answer is there', () => {
    const { state, eager, rounds, answered } = loop();
    for (let i = 0; i < 3; i++) answered(0.3);
    const begun = eager.begin();
    expect(rounds(0.1, 2)).toBe(2);
    eager.over(begun);
    expect(rounds(0.1)).toBe(1);
    expect(state.looks).toBe(2);
  });

  it('goes round once for questions side by side, until the last is answered', () => {
    const { state, eager, rounds, answered } = loop();
    for (let i = 0; i < 3; i++) answered(0.3);
    const both = [eager.begin(), eager.begin()];
    expect(state.turns).toHaveLength(1);
    eager.over(both[0]!);
    expect(rounds(0.2, 3)).toBe(3);
    expect(state.looks).toBe(3);
    eager.over(both[1]!);
    rounds(0.2);
    expect(state.turns).toEqual([]);
  });

  it('goes to sleep again after two answers in a row that took long, and learns anew', () => {
    const { state, eager, rounds, answered } = loop();
    for (let i = 0; i < 9; i++) {
      answered(0.3);
      rounds(0.1);
    }
    for (let i = 0; i < 2; i++) {
      const begun = eager.begin();
      expect(rounds(0.25)).toBe(4);
      state.now += 20;
      eager.over(begun);
    }
    eager.begin();
    expect(state.turns).toEqual([]);
  });
});

it('a query that is given up in the midst of its replies is over once', async () => {
  let sink: EventSink = () => {};
  const over: number[] = [];
  const pump = {
    eager: { begin: () => 7, over: (begun: number) => void over.push(begun) },
    add: (_: number, told: EventSink) => {
      sink = told;
    },
    remove: () => {},
  };
  const session = { get: () => 1, undeclare: async () => {} };
  const enough = new AbortController();
  const options = { timeoutMs: 1_000, signal: enough.signal, onReply: () => enough.abort() };
  const asked = runQuery(session as never, pump as never, new ManualClock(), 'a/**', options);
  const event = { entity: 1, key: 'a/b', payload: new Uint8Array(1), encoding: '', aux: 0 };
  const reply = { ...event, type: EVENT.reply };
  sink([reply, reply, { ...event, type: EVENT.getDone }] as never);
  expect(await asked).toHaveLength(1);
  expect(over).toEqual([7]);
});
