import {
  EdgeError,
  type HookDecision,
  type HookQuestion,
  type PolicyHook,
  type QuotaMetric,
} from '../../../contract/index.ts';
import { type QuotaBook, ROBOT_TENANT } from './quota-book.ts';

/** Quotas as a hook: runs at the door, motion and recordings at their tools, tokens, seconds and dollars before a model. */
export class QuotaHook implements PolicyHook {
  readonly name = 'quota';
  readonly #book: QuotaBook;

  constructor(book: QuotaBook) {
    this.#book = book;
  }

  async decide({ point, subject, context, about }: HookQuestion): Promise<HookDecision> {
    const { tenant } = context;
    const [whose, metrics] = spends(point, subject, about ?? {}, tenant);
    try {
      this.#book.check(whose, metrics);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', 'spend', tenant);
      return {
        decision: 'deny',
        reason: error.message,
        ...(error.code === 'quota.exceeded' ? { code: error.code } : {}),
      };
    }
    const intentId = about?.['intent_id'];
    if (point === 'intent' && intentId !== undefined) this.#book.reserve(intentId, tenant);
    return { decision: 'allow', reason: metrics.length === 0 ? 'costs nothing' : 'within the quota' };
  }
}

function spends(
  point: HookQuestion['point'],
  subject: string,
  about: Readonly<Record<string, string>>,
  tenant: string,
): [string, readonly QuotaMetric[]] {
  if (point === 'intent') return [tenant, ['runs']];
  if (point === 'model') return [tenant, ['tokens', 'gpu_seconds', 'usd']];
  if (point !== 'tool') return [tenant, []];
  if (subject === 'recorder.clip' || subject === 'clip_recording') return [ROBOT_TENANT, ['recorded_bytes']];
  return [tenant, about['effect'] === 'actuate' ? ['actuation_seconds'] : []];
}
