import type { ControllerView, EventPayload } from '../../../contract/core.ts';
import { DelayWindow } from './delay-window.ts';
import { Lateness } from './lateness.ts';

type Elsewhere = 'name' | 'policy' | 'policy_hash' | 'hz' | 'state' | 'reason' | 'stale' | 'scheduling';

/** What a controller did, since its start and since the last report to the log. */
export class RunCounts {
  steps = 0;
  starved = 0;
  clamped = 0;
  refused = 0;
  /** Applied by the thread and not sent: the cell was so late that the next one was there. */
  superseded = 0;
  chunks = 0;
  failures = 0;
  readonly delays = new DelayWindow();
  readonly late = new Lateness();
  readonly lateNet = new Lateness();
  /** Chunks that were not taken, by why: of this run, and since the last summary. */
  readonly turnedDown: Record<string, number> = {};
  #turnedDown: Record<string, number> = {};
  #told = { steps: 0, starved: 0, clamped: 0, refused: 0, chunks: 0, failures: 0 };

  turnDown(why: string): void {
    for (const counts of [this.turnedDown, this.#turnedDown]) counts[why] = (counts[why] ?? 0) + 1;
  }

  /** Of this run until now. */
  view(nowMs: number, rateHz: number): Omit<ControllerView, Elsewhere> {
    const { steps, starved, clamped, refused, chunks, turnedDown, delays, late, lateNet } = this;
    return {
      ...{ steps, starved, clamped, refused, chunks, turned_down: { ...turnedDown } },
      inference_p50_ms: delays.quantile(0.5, nowMs),
      inference_p99_ms: delays.quantile(0.99, nowMs),
      late_p99_ms: late.quantile(0.99),
      late_max_ms: late.most,
      late_net_p99_ms: lateNet.quantile(0.99),
      late_recent_ms: late.recent(Math.ceil(rateHz)),
    };
  }

  /** What happened since the last call; undefined: nothing. */
  summary(nowMs: number): Omit<EventPayload<'control.chunk'>, 'controller' | 'policy_hash'> | undefined {
    const { steps, starved, clamped, refused, chunks, failures } = this;
    const told = this.#told;
    if (steps === told.steps && chunks === told.chunks && failures === told.failures) return undefined;
    const turned_down = this.#turnedDown;
    this.#told = { steps, starved, clamped, refused, chunks, failures };
    this.#turnedDown = {};
    const p50 = this.delays.quantile(0.5, nowMs);
    const p99 = this.delays.quantile(0.99, nowMs);
    return {
      steps: steps - told.steps,
      starved: starved - told.starved,
      clamped: clamped - told.clamped,
      refused: refused - told.refused,
      chunks: chunks - told.chunks,
      last_chunk: chunks,
      failures: failures - told.failures,
      turned_down,
      ...(p50 === undefined || p99 === undefined ? {} : { path_p50_ms: p50, path_p99_ms: p99 }),
    };
  }
}
