import { type Clock, EdgeError } from '../../contract/core.ts';

export type Motion =
  | { readonly twist: { readonly linear: number; readonly angular: number } }
  | { readonly joints: Readonly<Record<string, number>> };

/** A terminal reports when a key is pressed, not when it is released: each press counts for this long, milliseconds. */
const PRESS_MS = 400;

/** Longer than the pause before a held key repeats, milliseconds: who typed nothing for so long has let go. */
const LET_GO_MS = 1_000;

const KEYS: Readonly<Record<string, readonly [linear: number, angular: number]>> = {
  w: [1, 0],
  '\u001b[A': [1, 0],
  s: [-1, 0],
  '\u001b[B': [-1, 0],
  a: [0, 1],
  '\u001b[D': [0, 1],
  d: [0, -1],
  '\u001b[C': [0, -1],
};

/** Control-C and control-D among them: they do not reach a program that reads raw keys as a signal. */
const ENDS: ReadonlySet<string> = new Set(['q', 'e', '\u0003', '\u0004']);
/** Fast key presses, or a held key, arrive several at a time. */
const ONE_KEY = /\u001b\[[A-D]|[\s\S]/g;

/** Keys as a joystick: forward and turning each hold as long as their keys repeat. */
export class Stick {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #speed: number;
  readonly #turn: number;
  #linear = { value: 0, untilMs: 0 };
  #angular = { value: 0, untilMs: 0 };
  #over = false;
  /** The key that is down now does not count; see `release`. */
  #isSpent = false;
  #typedMs = -Infinity;

  /** m/s and rad/s of a pressed key. */
  constructor(clock: Pick<Clock, 'monotonicMs'>, speed: number, turn: number) {
    this.#clock = clock;
    this.#speed = speed;
    this.#turn = turn;
  }

  /** Keys as typed, one or several at once; an unknown key stops. */
  press(typed: string): 'estop' | undefined {
    const keys: readonly string[] = typed.match(ONE_KEY) ?? [];
    for (const key of keys) this.#press(key);
    return keys.includes('e') ? 'estop' : undefined;
  }

  /** The robot was stopped: what is held has to be let go for a second before keys steer again. */
  release(): void {
    this.#isSpent = true;
    this.#linear = { value: 0, untilMs: -Infinity };
    this.#angular = { value: 0, untilMs: -Infinity };
  }

  #press(key: string): void {
    const nowMs = this.#clock.monotonicMs();
    const untilMs = nowMs + PRESS_MS;
    const [linear, angular] = KEYS[key] ?? [0, 0];
    if (linear !== 0 || angular !== 0) {
      const isNew = nowMs - this.#typedMs >= LET_GO_MS;
      this.#typedMs = nowMs;
      if (isNew) this.#isSpent = false;
      if (this.#isSpent) return;
    }
    if (linear === 0 && angular === 0) {
      this.#linear = { value: 0, untilMs };
      this.#angular = { value: 0, untilMs };
    }
    if (linear !== 0) this.#linear = { value: linear * this.#speed, untilMs };
    if (angular !== 0) this.#angular = { value: angular * this.#turn, untilMs };
    this.#over ||= ENDS.has(key);
  }

  /**
   * Undefined: the person has ended it. `quiet`: nothing may be sent. Between a press and its first repeat the key may
   * still be down: a velocity of zero would say that it was let go, and after a stop its repeats would move the robot.
   */
  motion(): Motion | 'quiet' | undefined {
    if (this.#over) return undefined;
    const nowMs = this.#clock.monotonicMs();
    const isTyped = nowMs - this.#typedMs < LET_GO_MS;
    if (isTyped && nowMs > Math.max(this.#linear.untilMs, this.#angular.untilMs)) return 'quiet';
    const of = ({ value, untilMs }: { value: number; untilMs: number }) => (nowMs <= untilMs ? value : 0);
    return { twist: { linear: of(this.#linear), angular: of(this.#angular) } };
  }
}

/** `joint_1=0.3` to positions by joint. Throws `schema.invalid`. */
export function jointsOf(given: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    given.map((one) => {
      const [, name, value] = /^([^=]{1,256})=(.+)$/.exec(one) ?? [];
      const at = Number(value);
      if (name !== undefined && value !== undefined && Number.isFinite(at)) return [name, at];
      throw new EdgeError('schema.invalid', {
        operation: 'teleop',
        subject: '--joint',
        message: `--joint ${one}: name=position expected, radians or metres`,
      });
    }),
  );
}
