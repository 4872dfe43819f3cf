import type { ModelAnswer, ModelInfo } from '../../../contract/core.ts';

/** How much a new value counts in a running mean. */
const WEIGHT = 0.2;

/** What one model did since the daemon started. Means are running ones: the last five calls or so. */
export class ModelFigures {
  calls = 0;
  failures = 0;
  tokensIn = 0;
  tokensOut = 0;
  costUsd = 0;
  firstTokenMs: number | undefined;
  tokensPerSecond: number | undefined;

  answered(answer: ModelAnswer, durationMs: number, info: ModelInfo): void {
    this.calls += 1;
    this.tokensIn += answer.tokensIn;
    this.tokensOut += answer.tokensOut;
    this.costUsd += costOf(answer, info);
    const { firstTokenMs } = answer;
    if (firstTokenMs === undefined) return;
    this.firstTokenMs = mean(this.firstTokenMs, firstTokenMs);
    const seconds = (durationMs - firstTokenMs) / 1_000;
    if (seconds > 0 && answer.tokensOut > 1) {
      this.tokensPerSecond = mean(this.tokensPerSecond, (answer.tokensOut - 1) / seconds);
    }
  }

  failed(): void {
    this.calls += 1;
    this.failures += 1;
  }
}

/** US dollars. */
export function costOf({ tokensIn, tokensOut }: ModelAnswer, { costIn, costOut }: ModelInfo): number {
  return (tokensIn * costIn + tokensOut * costOut) / 1e6;
}

function mean(known: number | undefined, value: number): number {
  return known === undefined ? value : known + WEIGHT * (value - known);
}
