/** What the charts of the page show: the newest values of every signal, and up to when. Pure. */
import type { LiveSample } from '../link/sample.ts';
import { numberAt, type Signal, signalOf } from './fields.ts';
import { Series } from './series.ts';

export type Track = {
  readonly signal: Signal;
  readonly series: Series;
  /** When the last message of the topic came, `performance.now`; negative infinity: none did. */
  atMs: number;
  /** The last message had no such number. */
  missing: boolean;
};

export class PlotStore {
  readonly #tracks = new Map<string, Track>();
  #newestS = Number.NEGATIVE_INFINITY;
  /** The right end of the live window follows the newest value smoothly. */
  #endS = Number.NEGATIVE_INFINITY;

  track(text: string): Track | undefined {
    return this.#tracks.get(text);
  }

  /** Signals that are no longer shown are forgotten. */
  show(texts: readonly string[]): void {
    for (const text of this.#tracks.keys()) if (!texts.includes(text)) this.#tracks.delete(text);
    for (const text of texts) {
      const signal = signalOf(text);
      if (!signal || this.#tracks.has(text)) continue;
      const atMs = Number.NEGATIVE_INFINITY;
      this.#tracks.set(text, { signal, series: new Series(), atMs, missing: false });
    }
  }

  topics(): string[] {
    return [...new Set([...this.#tracks.values()].map(({ signal }) => signal.topic))];
  }

  take(sample: LiveSample): void {
    const { timeS, atMs, channel } = sample;
    // The clock of a simulation starts again with it.
    if (timeS < this.#newestS - 1) this.#endS = timeS;
    this.#newestS = timeS < this.#newestS - 1 ? timeS : Math.max(this.#newestS, timeS);
    for (const track of this.#tracks.values()) {
      if (track.signal.topic !== channel.topic) continue;
      const value = numberAt(sample.value, track.signal.keys);
      track.atMs = atMs;
      track.missing = value === undefined;
      if (value !== undefined) track.series.push(timeS, value);
    }
  }

  /** The page did not listen from here to what comes next. */
  cut(): void {
    for (const { series } of this.#tracks.values()) series.cut();
  }

  /** Up to when a live chart shows values, seconds; undefined: it has none. To be called once a frame. */
  end(): number | undefined {
    if (this.#newestS === Number.NEGATIVE_INFINITY) return undefined;
    const behind = this.#newestS - this.#endS;
    this.#endS = behind > 2 || behind < 0.001 ? this.#newestS : this.#endS + behind / 6;
    return this.#endS;
  }
}
