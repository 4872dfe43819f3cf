/** A step smaller than this is slewing, late looks and the resolution of the wall clock, milliseconds. */
export const JUMP_MS_MIN = 250;

/** Notices that the wall clock stepped: it should advance as the monotonic one does. Pure. */
export class JumpWatch {
  #wallMs: number | undefined;
  #monotonicMs = 0;

  /** Milliseconds that the wall clock jumped since the last look, negative backwards; undefined when it did not. */
  look(wallMs: number, monotonicMs: number): number | undefined {
    const before = this.#wallMs;
    const jump = before === undefined ? 0 : wallMs - before - (monotonicMs - this.#monotonicMs);
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    return Math.abs(jump) >= JUMP_MS_MIN ? jump : undefined;
  }
}
