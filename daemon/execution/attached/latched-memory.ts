import { LIMITS, type Sample, type TopicSpec } from '../../../contract/core.ts';
import type { SampleBus } from '../bus/index.ts';

export const TF_STATIC = '/tf_static';

/**
 * Samples of latched topics. The servers for attached clients may start long after a map or the fixed transforms were
 * published, and those do not come a second time. Costs one look-up for each sample.
 */
export class LatchedMemory {
  readonly #bus: Pick<SampleBus, 'tap' | 'last'>;
  readonly #kept = new Map<string, Sample[]>([[TF_STATIC, []]]);

  constructor(bus: Pick<SampleBus, 'tap' | 'last'>) {
    this.#bus = bus;
    bus.tap('latched', (sample) => {
      const kept = this.#kept.get(sample.topic);
      if (kept) keep(kept, sample);
    });
  }

  declare(topics: readonly TopicSpec[]): void {
    for (const { topic, qos } of topics) {
      if (qos.durability !== 'transient_local' || this.#kept.has(topic)) continue;
      if (this.#kept.size >= LIMITS.ATTACH_TOPICS_MAX) return;
      const last = this.#bus.last(topic);
      this.#kept.set(topic, last ? [last] : []);
    }
  }

  release(topics: readonly string[]): void {
    for (const topic of topics) if (topic !== TF_STATIC) this.#kept.delete(topic);
  }

  samples(): readonly Sample[] {
    return [...this.#kept.values()].flat();
  }
}

/** The newest sample of a topic; of the fixed transforms, which several nodes publish, as many as there is room for. */
export function keep(kept: Sample[], sample: Sample): void {
  if (sample.topic !== TF_STATIC) kept.length = 0;
  kept.push(sample);
  let bytes = kept.reduce((sum, one) => sum + one.bytes.length, 0);
  while (
    kept.length > LIMITS.ATTACH_LATCHED_MAX ||
    (kept.length > 1 && bytes > LIMITS.ATTACH_LATCHED_BYTES_MAX)
  )
    bytes -= kept.shift()?.bytes.length ?? 0;
}
