import type { PublishOptions } from '../../contract/core.ts';
import { intersects } from './key-expr.ts';
import type { DeliveryRule } from './policy-types.ts';

/** Keys whose rule is remembered; a robot has some hundred. */
const KEYS_MAX = 4096;

/** Applies the configured delivery to the options of a sender. */
export class DeliveryRules {
  readonly #rules: readonly DeliveryRule[];
  readonly #known = new Map<string, DeliveryRule | undefined>();

  constructor(rules: readonly DeliveryRule[] = []) {
    this.#rules = rules;
  }

  apply(key: string, options: PublishOptions): PublishOptions {
    if (this.#rules.length === 0) return options;
    const rule = this.#find(key);
    if (rule === undefined) return options;
    const { keys: _keys, ...delivery } = rule;
    return { ...options, ...delivery };
  }

  #find(key: string): DeliveryRule | undefined {
    if (this.#known.has(key)) return this.#known.get(key);
    if (this.#known.size >= KEYS_MAX) this.#known.clear();
    const rule = this.#rules.find(({ keys }) => keys.some((expr) => intersects(expr, key)));
    this.#known.set(key, rule);
    return rule;
  }
}
