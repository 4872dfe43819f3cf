import { describe, expect, it } from 'vitest';
import { Stick } from '../../cli/teleop/stick.ts';

const stick = () => new Stick({ monotonicMs: () => 0 }, 0.2, 0.8);

describe('keys as a stick', () => {
  it.each(['e', 'we', 'ee', 'e\u001b[A', '\u001b[Aew', 'qe'])('%j engages the emergency stop', (typed) => {
    const keys = stick();
    expect(keys.press(typed)).toBe('estop');
    expect(keys.motion()).toBeUndefined();
  });

  it('several at once are each of them', () => {
    const keys = stick();
    expect(keys.press('w\u001b[D')).toBeUndefined();
    expect(keys.motion()).toEqual({ twist: { linear: 0.2, angular: 0.8 } });
    keys.press('ww ');
    expect(keys.motion()).toEqual({ twist: { linear: 0, angular: 0 } });
  });

  it('what was ended stays ended, whatever is typed after it', () => {
    const keys = stick();
    keys.press('q');
    keys.press('w');
    expect(keys.motion()).toBeUndefined();
  });

  it('a key that was down when the robot was stopped steers again when it was let go for a second', () => {
    let nowMs = 0;
    const keys = new Stick({ monotonicMs: () => nowMs }, 0.2, 0.8);
    keys.press('w');
    keys.release();
    // The pause before a held key repeats, and its repeats.
    for (nowMs = 660; nowMs < 5_000; nowMs += 33) {
      keys.press('w');
      expect(keys.motion()).toBe('quiet');
    }
    nowMs += 1_000;
    keys.press('w');
    expect(keys.motion()).toEqual({ twist: { linear: 0.2, angular: 0 } });
  });

  it('says nothing between a press and its first repeat, which would look as if the key was let go', () => {
    let nowMs = 0;
    const keys = new Stick({ monotonicMs: () => nowMs }, 0.2, 0.8);
    const still = { twist: { linear: 0, angular: 0 } };
    expect(keys.motion()).toEqual(still);
    keys.press('w');
    nowMs = 450;
    expect(keys.motion()).toBe('quiet');
    keys.press(' ');
    expect(keys.motion()).toEqual(still);
    nowMs = 1_001;
    expect(keys.motion()).toEqual(still);
  });
});
