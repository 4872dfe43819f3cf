/** The newest values of one signal. Bounded: the oldest go first. Pure. */

/** At 100 Hz more than ten minutes. */
const SAMPLES_MAX = 65_536;
const SAMPLES_FIRST = 1_024;
/** A clock that goes further back than this was started again, seconds. */
const BACK_S = 1;

export type Point = { readonly timeS: number; readonly value: number };

export class Series {
  #times = new Float64Array(SAMPLES_FIRST);
  #values = new Float64Array(SAMPLES_FIRST);
  /** Index of the oldest. */
  #first = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get newest(): Point | undefined {
    return this.#point(this.#count - 1);
  }

  get oldest(): Point | undefined {
    return this.#point(0);
  }

  push(timeS: number, value: number): void {
    const last = this.newest?.timeS ?? Number.NEGATIVE_INFINITY;
    if (timeS < last - BACK_S) this.clear();
    if (this.#count === this.#times.length) this.#makeRoom();
    const at = (this.#first + this.#count) % this.#times.length;
    // Messages may overtake each other by a little: times never go back.
    this.#times[at] = this.#count > 0 ? Math.max(timeS, last) : timeS;
    this.#values[at] = value;
    this.#count += 1;
  }

  clear(): void {
    this.#first = 0;
    this.#count = 0;
  }

  /** The last value at that time; undefined before the first. */
  at(timeS: number): Point | undefined {
    return this.#point(this.#after(timeS) - 1);
  }

  /** The line ends here: this page did not listen for a while. */
  cut(): void {
    const { newest } = this;
    if (newest && Number.isFinite(newest.value)) this.push(newest.timeS, Number.NaN);
  }

  /**
   * For drawing: lowest and highest value of each of `count` equal parts of the time from `fromS` to `toS`, at 2·i and
   * 2·i + 1 in the order in which they came. A part without values stays `undefined`; `null`: the line is interrupted,
   * since there was no number. At both ends stands the value between the neighbours inside and outside.
   */
  shape(fromS: number, toS: number, count: number): (number | null | undefined)[] {
    const drawn = new Array<number | null | undefined>(2 * count).fill(undefined);
    const scale = count / (toS - fromS);
    for (let i = Math.max(0, this.#after(fromS) - 1); i < this.#count; i++) {
      // No object for each value: this runs for thousands of them at each frame.
      const at = (this.#first + i) % this.#times.length;
      const timeS = this.#times[at]!;
      const value = this.#values[at]!;
      if (timeS < fromS) addTo(drawn, 0, this.#between(i, i + 1, fromS));
      else if (timeS > toS) {
        addTo(drawn, count - 1, this.#between(i - 1, i, toS));
        break;
      } else addTo(drawn, Math.min(count - 1, Math.floor((timeS - fromS) * scale)), value);
    }
    return drawn;
  }

  /** On the line from one value to the next; NaN where one of them is missing. */
  #between(i: number, j: number, timeS: number): number {
    const [one, other] = [this.#point(i), this.#point(j)];
    if (!one || !other || other.timeS <= one.timeS) return Number.NaN;
    return one.value + ((other.value - one.value) * (timeS - one.timeS)) / (other.timeS - one.timeS);
  }

  #point(i: number): Point | undefined {
    if (i < 0 || i >= this.#count) return undefined;
    const at = (this.#first + i) % this.#times.length;
    return { timeS: this.#times[at]!, value: this.#values[at]! };
  }

  /** Number of values that are not after the time. */
  #after(timeS: number): number {
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#times[(this.#first + middle) % this.#times.length]! <= timeS) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #makeRoom(): void {
    const size = this.#times.length;
    if (size >= SAMPLES_MAX) {
      this.#first = (this.#first + 1) % size;
      this.#count -= 1;
      return;
    }
    const order = (from: Float64Array) => {
      const to = new Float64Array(size * 2);
      to.set(from.subarray(this.#first));
      to.set(from.subarray(0, this.#first), size - this.#first);
      return to;
    };
    this.#times = order(this.#times);
    this.#values = order(this.#values);
    this.#first = 0;
  }
}

function addTo(drawn: (number | null | undefined)[], part: number, value: number): void {
  const [one, other] = [drawn[2 * part], drawn[2 * part + 1]];
  if (!Number.isFinite(value)) {
    if (typeof one !== 'number') drawn[2 * part] = null;
    else if (typeof other !== 'number') drawn[2 * part + 1] = null;
  } else if (typeof one !== 'number') drawn[2 * part] = value;
  else if (typeof other !== 'number') drawn[2 * part + 1] = value;
  else if (value < Math.min(one, other)) {
    // What came later stands later.
    drawn[2 * part] = Math.max(one, other);
    drawn[2 * part + 1] = value;
  } else if (value > Math.max(one, other)) {
    drawn[2 * part] = Math.min(one, other);
    drawn[2 * part + 1] = value;
  }
}
