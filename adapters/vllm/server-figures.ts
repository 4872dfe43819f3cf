export type ServerFigures = {
  readonly waiting?: number;
  readonly running?: number;
  /** Share of the cache for attention that is taken, 0 to 1. */
  readonly cacheUsage?: number;
  /** Grows with each step of the engine, for any client; only its changes mean something. */
  readonly steps?: number;
};

/** Counters of a working engine. Those of llama.cpp come from its own loop: when it hangs nothing answers at all. */
const STEPS = [
  'vllm:iteration_tokens_total_count',
  'vllm:iteration_tokens_total_sum',
  'vllm:generation_tokens_total',
  'vllm:prompt_tokens_total',
];

/** Names of the same figure at vLLM and llama.cpp. */
const NAMES = {
  waiting: ['vllm:num_requests_waiting', 'llamacpp:requests_deferred'],
  running: ['vllm:num_requests_running', 'llamacpp:requests_processing'],
  cacheUsage: ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc', 'llamacpp:kv_cache_usage_ratio'],
} as const;

/** Reads Prometheus text. Engines of one server are summed, of their caches the fullest counts. Pure. */
export function readFigures(text: string): ServerFigures {
  const values = new Map<string, number[]>();
  for (const line of text.split('\n')) {
    const found = /^([A-Za-z_:][\w:]*)(?:\{[^}]*\})?\s+(\S+)/.exec(line);
    if (!found) continue;
    const value = Number(found[2]);
    if (!Number.isFinite(value) || value < 0) continue;
    const known = values.get(found[1]!);
    if (known) known.push(value);
    else values.set(found[1]!, [value]);
  }
  const of = (names: readonly string[]) => names.map((name) => values.get(name)).find((v) => v !== undefined);
  const waiting = of(NAMES.waiting);
  const running = of(NAMES.running);
  const cache = of(NAMES.cacheUsage);
  const steps = STEPS.flatMap((name) => values.get(name) ?? []);
  return {
    ...(steps.length > 0 ? { steps: steps.reduce((a, b) => a + b, 0) } : {}),
    ...(waiting ? { waiting: waiting.reduce((a, b) => a + b, 0) } : {}),
    ...(running ? { running: running.reduce((a, b) => a + b, 0) } : {}),
    ...(cache ? { cacheUsage: Math.min(1, Math.max(...cache)) } : {}),
  };
}
