/** Samples from which offsets are judged; a ring of the newest. */
const WINDOW = 256;
const SAMPLES_MIN = 20;

export type StampFigures = {
  readonly samples: number;
  /** Received minus stamp, milliseconds: transport and processing, and how far the clocks are apart. */
  readonly median_ms: number;
  /** Between the 10th and the 90th percentile. */
  readonly spread_ms: number;
};

/** How far the stamps of one source lie from the time of receipt. Pure. */
export class StampWatch {
  readonly #offsets = new Float64Array(WINDOW);
  #count = 0;

  /** `offsetMs`: received minus stamp. Samples whose stamp is the time of receipt say nothing and are left out. */
  add(offsetMs: number): void {
    this.#offsets[this.#count % WINDOW] = offsetMs;
    this.#count += 1;
  }

  /** Undefined while there is too little to judge. */
  figures(): StampFigures | undefined {
    const samples = Math.min(this.#count, WINDOW);
    if (samples < SAMPLES_MIN) return undefined;
    const sorted = this.#offsets.slice(0, samples).sort();
    const at = (share: number) => sorted[Math.min(samples - 1, Math.floor(share * samples))]!;
    return { samples: this.#count, median_ms: at(0.5), spread_ms: at(0.9) - at(0.1) };
  }
}
