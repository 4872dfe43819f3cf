import { randomBytes } from 'node:crypto';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OpenAiModel, type OpenAiModelOptions } from '../../adapters/vllm/index.ts';
import type { ModelInfo } from '../../contract/index.ts';

export type ModelOverrides = Partial<Omit<OpenAiModelOptions, 'times' | 'info'>> & {
  readonly times?: Partial<OpenAiModelOptions['times']>;
  readonly info?: Partial<ModelInfo>;
};

/** An adapter with times that suit a loaded test machine; a test that wants a short one says so. */
export function openAiModel(url: string, overrides: ModelOverrides = {}): OpenAiModel {
  const { times, info, ...rest } = overrides;
  return new OpenAiModel({
    url,
    apiKey: undefined,
    jsonMode: 'auto',
    probe: true,
    clock: new SystemClock(),
    random: (length) => randomBytes(length),
    ...rest,
    info: {
      name: 'tiny',
      modelId: 'tiny',
      vision: true,
      tools: true,
      context: 4096,
      latency: 'any',
      costIn: 0,
      costOut: 0,
      ...info,
    },
    times: {
      silenceMs: 20_000,
      probeMs: 2_000,
      firstTokenMs: 30_000,
      stallMs: 30_000,
      hangMs: 30_000,
      callMs: 60_000,
      wakeMs: 5_000,
      ...times,
    },
  });
}
