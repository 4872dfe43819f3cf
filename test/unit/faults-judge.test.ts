import { describe, expect, it } from 'vitest';
import { type Claim, judge } from '../support/faults/judge.ts';
import type { CommandEntry, Entry, RobotFacts } from '../support/faults/record.ts';

/** The judge of the fault campaign finds what it is there to find: forged records that must fail, and do. */
const BASE: RobotFacts = { commands: 'speeds', speedMax: [0.46, 1.9], restSpeed: [0.01, 0.04] };
const ARM: RobotFacts = { commands: 'positions', speedMax: [1], restSpeed: [0.02] };

const command = (atMs: number, values: readonly number[], refused = ''): CommandEntry => ({
  ...{ kind: 'command', atMs, worldMs: atMs, values, refused },
});
const state = (atMs: number, speeds: readonly number[], collisions = 0): Entry => ({
  ...{ kind: 'state', atMs, worldMs: atMs, speeds, collisions },
});
/** Drives until `stopMs`, and is told so every 50 ms; then it is told zeros, and rests after 200 ms. */
function drive(stopMs: number, endMs = 3_000): Entry[] {
  const record: Entry[] = [];
  for (let ms = 0; ms <= endMs; ms += 50) {
    record.push(command(ms, ms < stopMs ? [0.3, 0.1] : [0, 0]));
    record.push(state(ms, ms < stopMs + 200 ? [0.3, 0.1] : [0, 0]));
  }
  return record;
}
const CLAIM: Claim = { faultAtMs: 1_000, endMs: 3_000, quietFromMs: 1_100, restByMs: 1_500 };
const left = (one: CommandEntry) => one.values[0] === 0 && one.values[1]! >= 0;

describe('the judge of faults', () => {
  it('lets a robot pass that stands by its bound, and says when it did', () => {
    expect(judge(BASE, drive(1_050), CLAIM)).toMatchObject({
      broken: [],
      lateCommands: 0,
      lastCommandMs: 0,
      restMs: 250,
    });
  });

  it('counts each moving command after the bound, and a robot that comes to rest too late', () => {
    const { lateCommands, broken } = judge(BASE, drive(1_400), CLAIM);
    expect(lateCommands).toBe(5);
    expect(broken).toEqual(['5 moving commands after the bound', 'not at rest by the bound: 600 ms']);
  });

  it('finds one single command long after the robot had come to rest', () => {
    const record = [...drive(1_050), command(2_900, [0, 0.001])];
    expect(judge(BASE, record, CLAIM).broken).toEqual(['1 moving commands after the bound']);
  });

  it('finds a robot that moves although nobody commands it', () => {
    const record = drive(1_050).map((one) =>
      one.kind === 'state' && one.atMs > 2_000 ? state(one.atMs, [0.1, 0]) : one,
    );
    expect(judge(BASE, record, CLAIM).broken).toEqual(['not at rest by the bound: never']);
  });

  it('does not count what the robot refused by itself, nor what comes after the end', () => {
    const record = [
      ...drive(1_050),
      command(2_000, [0.3, 0], 'the command came too late'),
      command(3_100, [0.3, 0]),
    ];
    expect(judge(BASE, record, CLAIM).broken).toEqual([]);
  });

  it('grants a host that was late what it was late by, and no more', () => {
    expect(judge(BASE, drive(1_250), { ...CLAIM, slackMs: 200 }).broken).toEqual([]);
    expect(judge(BASE, drive(1_400), { ...CLAIM, slackMs: 200 }).lateCommands).toBe(1);
  });

  it('counts a command of a program while a person has the robot, and none of the person', () => {
    const person = Array.from({ length: 10 }, (_, i) => command(1_200 + 20 * i, [0, 0.5]));
    const claim = { ...CLAIM, quietFromMs: 2_000, taken: { fromMs: 1_150, isTheirs: left } };
    expect(judge(BASE, [...drive(1_050), ...person], claim).broken).toEqual([]);
    for (const theft of [
      [0.2, 0],
      [0, -0.1],
      [0, Number.NaN],
    ]) {
      const { strangeCommands, broken } = judge(
        BASE,
        [...drive(1_050), ...person, command(1_300, theft)],
        claim,
      );
      expect([strangeCommands, broken.length > 0]).toEqual([1, true]);
    }
  });

  it('finds speeds and commands above the limits, and what is no number', () => {
    const claim = { faultAtMs: 1_000, endMs: 3_000 };
    expect(judge(BASE, [...drive(4_000), command(1_500, [0.6, 0])], claim).overspeed).toBe(1);
    expect(judge(BASE, [...drive(4_000), state(1_500, [0, -3])], claim).overspeed).toBe(1);
    expect(judge(BASE, [...drive(4_000), command(1_500, [Number.NaN, 0])], claim).notFinite).toBe(1);
    expect(judge(BASE, drive(4_000), claim).broken).toEqual([]);
  });

  it('counts collisions after the fault only', () => {
    const record = drive(4_000).map((one) =>
      one.kind === 'state' ? { ...one, collisions: one.atMs < 2_000 ? 1 : 2 } : one,
    );
    const claim = { faultAtMs: 1_000, endMs: 3_000, noCollisions: true };
    expect(judge(BASE, record, claim).broken).toEqual(['1 collisions']);
    expect(judge(BASE, record, { ...claim, faultAtMs: 2_500 }).broken).toEqual([]);
  });

  it('takes set points that do not change for standing still', () => {
    const hold = Array.from({ length: 30 }, (_, i) => [
      command(1_000 + 50 * i, [0.4]),
      state(1_000 + 50 * i, [0]),
    ]).flat();
    const before = [command(900, [0.4]), state(900, [0.5])];
    expect(judge(ARM, [...before, ...hold], CLAIM).broken).toEqual([]);
    expect(judge(ARM, [...before, ...hold, command(2_800, [0.41])], CLAIM).lateCommands).toBe(1);
  });

  it('takes a robot that says nothing for one that goes on as before', () => {
    const sparse = [
      command(500, [0.3, 0]),
      state(500, [0.3, 0]),
      command(1_900, [0, 0]),
      state(1_900, [0, 0]),
    ];
    expect(judge(BASE, sparse, CLAIM)).toMatchObject({
      restMs: 900,
      broken: ['not at rest by the bound: 900 ms'],
    });
  });

  it('does not believe a record in which nothing stands after the fault', () => {
    expect(judge(BASE, drive(500, 900), CLAIM).broken).toContain(
      'the robot wrote nothing down after the fault',
    );
  });
});
