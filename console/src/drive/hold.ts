/** What a person holds: keys, a gamepad, a finger on the pad. Nothing held is no motion. Pure. */

/** Shares of the highest speed, -1 to 1: forward, and counter-clockwise. */
export type Stick = { readonly forward: number; readonly turn: number };

const KEYS: Readonly<Record<string, Stick>> = {
  KeyW: { forward: 1, turn: 0 },
  ArrowUp: { forward: 1, turn: 0 },
  KeyS: { forward: -1, turn: 0 },
  ArrowDown: { forward: -1, turn: 0 },
  KeyA: { forward: 0, turn: 1 },
  ArrowLeft: { forward: 0, turn: 1 },
  KeyD: { forward: 0, turn: -1 },
  ArrowRight: { forward: 0, turn: -1 },
};
/** A stick near its middle is at rest. */
const REST = 0.12;
/** Buttons L1 and R1 of the standard gamepad: one of them has to be held. */
const HOLD_BUTTONS = [4, 5];

export const isDriveKey = (code: string) => code in KEYS;
const limited = (value: number) => Math.max(-1, Math.min(1, value));
const away = (value: number | undefined) => (Math.abs(value ?? 0) < REST ? 0 : limited(value ?? 0));

/** Undefined: no key that steers is held. */
export function stickOfKeys(held: ReadonlySet<string>): Stick | undefined {
  const sticks = [...held].flatMap((code) => KEYS[code] ?? []);
  if (sticks.length === 0) return undefined;
  const sum = (part: keyof Stick) => limited(sticks.reduce((total, stick) => total + stick[part], 0));
  return { forward: sum('forward'), turn: sum('turn') };
}

/** Of a standard gamepad: the left stick, or forward left and turn right. Undefined: its hold button is not pressed. */
export function stickOfGamepad(pad: {
  readonly axes: readonly number[];
  readonly buttons: readonly { readonly pressed: boolean }[];
}): Stick | undefined {
  if (!HOLD_BUTTONS.some((i) => pad.buttons[i]?.pressed)) return undefined;
  const [x, y, right] = pad.axes;
  const turn = away(right) === 0 ? away(x) : away(right);
  return { forward: 0 - away(y), turn: 0 - turn };
}

/** Of a finger on a square pad: `x`, `y` from its middle, down and right positive, -1 to 1 at its edges. */
export const stickOfPad = (x: number, y: number): Stick => ({ forward: 0 - away(y), turn: 0 - away(x) });
