/** What a camera may send, by how the line copes: all, or one image at a time. Pure. */

/** Images that come later than the quickest did by this are late: the line is thin, milliseconds. */
const LATE_MS = 400;
const GOOD_MS = 150;
/** As many images in time and all may come again. */
const GOOD_COUNT = 10;
/** One image at a time leaves the line free for as long as the image took, but no longer, milliseconds. */
const REST_MIN_MS = 30;
const REST_MAX_MS = 3_000;
/** The quickest of this time counts, milliseconds: the clocks of robot and browser drift apart. */
const MEMORY_MS = 20_000;

export class CameraPace {
  #isThin = false;
  #good = 0;
  /** The quickest way of an image, by the difference of the two clocks: of this time and of that before, milliseconds. */
  #quickest = Number.POSITIVE_INFINITY;
  #before = Number.POSITIVE_INFINITY;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #lateMs = 0;

  /** The line is thin: images come one at a time. */
  get isThin(): boolean {
    return this.#isThin;
  }

  /** How much later than the quickest the last image came, milliseconds. */
  get lateMs(): number {
    return this.#lateMs;
  }

  /**
   * An image of the robot's time `timeS` (seconds) arrived at `atMs`. Undefined: the next ones may come too. A number:
   * none may come for so many milliseconds, and then one.
   */
  arrived(timeS: number, atMs: number): number | undefined {
    const way = atMs - timeS * 1000;
    if (atMs - this.#sinceMs > MEMORY_MS) {
      // What was measured on a line that is thin is not how quick it can be.
      if (!this.#isThin) [this.#before, this.#quickest] = [this.#quickest, way];
      this.#sinceMs = atMs;
    }
    this.#quickest = Math.min(this.#quickest, way);
    this.#lateMs = way - Math.min(this.#quickest, this.#before);
    this.#good = this.#lateMs < GOOD_MS ? this.#good + 1 : 0;
    if (this.#lateMs > LATE_MS) this.#isThin = true;
    else if (this.#good >= GOOD_COUNT) this.#isThin = false;
    if (!this.#isThin) return undefined;
    return Math.min(REST_MAX_MS, Math.max(REST_MIN_MS, this.#lateMs));
  }
}
