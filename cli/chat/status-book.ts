import type { AgentEvent } from '../../contract/core.ts';
import type { Shown, Status } from './shown.ts';

/** What is known of a session, put together from events and answers of the API. Pure. */
export class StatusBook {
  #now: Status = { state: 'new', reason: '', connected: true };
  /** Tokens that each model can hold. */
  sizes: ReadonlyMap<string, number> = new Map();

  get now(): Status {
    return this.#now;
  }

  /** What is shown of a change; nothing where nothing changed. */
  change(change: Partial<Status>): readonly Shown[] {
    const size = this.sizes.get(change.model ?? this.#now.model ?? '');
    const next = { ...this.#now, ...change, ...(size === undefined ? {} : { context_size: size }) };
    if (JSON.stringify(next) === JSON.stringify(this.#now)) return [];
    this.#now = next;
    return [{ kind: 'status', ...next }];
  }

  counted({ payload }: AgentEvent<'model.returned'>): readonly Shown[] {
    const { model, tokens_in, tokens_out, cost_usd, ok } = payload;
    return this.change({
      ...(model === undefined ? {} : { model }),
      ...(ok ? { context_used: tokens_in + tokens_out } : {}),
      ...(cost_usd === undefined ? {} : { cost_usd: (this.#now.cost_usd ?? 0) + cost_usd }),
    });
  }
}

export function modelsText(sizes: ReadonlyMap<string, number>): string {
  if (sizes.size === 0) return 'no models are configured';
  return [...sizes].map(([name, size]) => `${name} (${size} tokens)`).join(', ');
}
