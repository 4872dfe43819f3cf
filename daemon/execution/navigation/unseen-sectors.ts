const TURN = 2 * Math.PI;
/**
 * Gaps up to this between two rays that say something count as seen, radians: single rays get lost. At a distance of
 * 0.5 m nothing wider than 4 cm hides in one, and as the base moves the next scan sees that.
 */
const GAP_MAX_RAD = (5 * Math.PI) / 180;
/** Rounding of angles that were added up from a float32. */
const ROUNDING = 1e-4;

/**
 * Directions in which a scan says nothing: beyond the ends of its sweep, and where rays are missing, covered or
 * dazzled. Angles counter-clockwise in `base_link`. The place of the sensor on the base is left out: at the distance in
 * which the base brakes it changes the direction little.
 */
export class UnseenSectors {
  count = 0;
  /** Start and width of each, radians. */
  from = new Float64Array(4);
  width = new Float64Array(4);
  #first = 0;
  #last = 0;
  #hasRay = false;
  #gapMax = GAP_MAX_RAD;

  /** A scan starts; `increment`: between two of its rays, either way round. */
  begin(increment: number): void {
    this.count = 0;
    this.#hasRay = false;
    // A sensor of few rays is taken as it is.
    this.#gapMax = Math.max(GAP_MAX_RAD, Math.abs(increment)) + ROUNDING;
  }

  /** A ray that says something; rays come in the order of their angles, not wrapped. */
  see(angle: number): void {
    if (!this.#hasRay) this.#first = angle;
    else this.#gap(this.#last, angle);
    this.#last = angle;
    this.#hasRay = true;
  }

  /** After the last ray: what lies between the two ends of the sweep. */
  end(): void {
    const sweep = this.#hasRay ? this.#last - this.#first : 0;
    const left = TURN - Math.abs(sweep);
    if (left > this.#gapMax) this.#put(sweep > 0 ? this.#last : this.#first, left);
  }

  /** What `other` says, seen from a base that has turned by `yaw` since. */
  copyTurned(other: UnseenSectors, yaw: number): void {
    this.count = 0;
    for (let i = 0; i < other.count; i++) this.#put(other.from[i]! - yaw, other.width[i]!);
  }

  /** Whether any direction from `from` on, counter-clockwise for `width`, is unseen. */
  touches(from: number, width: number): boolean {
    for (let i = 0; i < this.count; i++) {
      const offset = positive(this.from[i]! - from);
      if (offset < width || offset + this.width[i]! > TURN) return true;
    }
    return false;
  }

  #gap(before: number, after: number): void {
    const width = Math.abs(after - before);
    if (width > this.#gapMax) this.#put(Math.min(before, after), Math.min(width, TURN));
  }

  #put(from: number, width: number): void {
    if (this.count === this.from.length) {
      this.from = doubled(this.from);
      this.width = doubled(this.width);
    }
    this.from[this.count] = from;
    this.width[this.count] = width;
    this.count++;
  }
}

function positive(angle: number): number {
  return angle - TURN * Math.floor(angle / TURN);
}

function doubled(values: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * values.length);
  larger.set(values);
  return larger;
}
