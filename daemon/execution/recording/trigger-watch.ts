import type { ClipRequest, Clock, Sample, TriggerSpec } from '../../../contract/core.ts';
import { decodeAny } from '../../../formats/ros2/index.ts';

type Watch = {
  readonly spec: TriggerSpec;
  readonly path: readonly (string | number)[];
  wasTrue: boolean;
  restsUntilMs: number;
  hasFailed: boolean;
};

/**
 * Conditions that record a clip: when one becomes true, and has rested since the last time. Only the topics
 * that a condition is about are decoded. A message that cannot be decoded, or has no such field, is reported once.
 */
export class TriggerWatch {
  readonly #clock: Clock;
  readonly #byTopic = new Map<string, Watch[]>();
  readonly #definitionOf: (type: string) => string | undefined;
  readonly #fire: (request: ClipRequest) => void;
  readonly #report: (level: 'warn', message: string) => void;

  constructor(
    specs: readonly TriggerSpec[],
    parts: {
      readonly clock: Clock;
      readonly definitionOf: (type: string) => string | undefined;
      readonly fire: (request: ClipRequest) => void;
      readonly report: (level: 'warn', message: string) => void;
    },
  ) {
    this.#clock = parts.clock;
    this.#definitionOf = parts.definitionOf;
    this.#fire = parts.fire;
    this.#report = parts.report;
    for (const spec of specs) {
      const watch = { spec, path: pathOf(spec.field), wasTrue: false, restsUntilMs: 0, hasFailed: false };
      this.#byTopic.set(spec.topic, [...(this.#byTopic.get(spec.topic) ?? []), watch]);
    }
  }

  get isEmpty(): boolean {
    return this.#byTopic.size === 0;
  }

  /** Looks at a sample; never throws. */
  offer(sample: Sample): void {
    const watches = this.#byTopic.get(sample.topic);
    if (!watches) return;
    let message: unknown;
    try {
      message = decodeAny(sample.type, sample.bytes, this.#definitionOf(sample.type));
    } catch (error) {
      for (const watch of watches) this.#failed(watch, String((error as Error).message));
      return;
    }
    for (const watch of watches) this.#look(watch, message);
  }

  #look(watch: Watch, message: unknown): void {
    const { spec } = watch;
    const value = numberAt(message, watch.path);
    if (value === undefined) {
      this.#failed(watch, `there is no number at ${spec.field}`);
      return;
    }
    const isTrue = compare(value, spec);
    const becameTrue = isTrue && !watch.wasTrue;
    watch.wasTrue = isTrue;
    const nowMs = this.#clock.monotonicMs();
    if (!becameTrue || nowMs < watch.restsUntilMs) return;
    watch.restsUntilMs = nowMs + spec.cooldownMs;
    this.#fire({
      trigger: spec.name,
      reason: `${spec.topic} ${spec.field} = ${value} ${spec.is} ${spec.threshold}`,
      ...(spec.preMs === undefined ? {} : { preMs: spec.preMs }),
      ...(spec.postMs === undefined ? {} : { postMs: spec.postMs }),
    });
  }

  #failed(watch: Watch, why: string): void {
    if (watch.hasFailed) return;
    watch.hasFailed = true;
    this.#report('warn', `trigger ${watch.spec.name} cannot read ${watch.spec.topic}: ${why}`);
  }
}

/** `a.b[3].c` as steps. */
function pathOf(field: string): (string | number)[] {
  return [...field.matchAll(/([A-Za-z_]\w*)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index));
}

function numberAt(message: unknown, path: readonly (string | number)[]): number | undefined {
  let value = message;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' || typeof value === 'boolean' ? Number(value) : undefined;
}

/** NaN is no value: it makes nothing true, and nothing unequal. */
function compare(value: number, { is, threshold }: TriggerSpec): boolean {
  switch (is) {
    case '<':
      return value < threshold;
    case '<=':
      return value <= threshold;
    case '>':
      return value > threshold;
    case '>=':
      return value >= threshold;
    case '==':
      return value === threshold;
    case '!=':
      return !Number.isNaN(value) && value !== threshold;
  }
}
