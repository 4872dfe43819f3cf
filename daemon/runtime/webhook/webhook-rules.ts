import type { WebhookRule } from '../../../contract/index.ts';
import { filled, referencesIn, valueAt } from '../packages/references.ts';

type Json = Readonly<Record<string, unknown>>;

export type Routed = { readonly intent: string; readonly params: Json };

/** The intent of the first rule that fits, and its number from 1; undefined: none does. Pure. */
export function byRule(
  rules: readonly WebhookRule[],
  body: Json,
): (Routed & { readonly rule: number }) | undefined {
  const at = rules.findIndex(({ tests }) => tests.every((test) => holds(test, body)));
  const rule = rules[at];
  return rule && { rule: at + 1, intent: rule.intent, params: paramsOf(rule, body) };
}

function holds({ at, is, isNot, above, below }: WebhookRule['tests'][number], body: Json): boolean {
  const value = valueAt(body, at);
  if (is !== undefined) return (value ?? null) === is;
  if (isNot !== undefined) return (value ?? null) !== isNot;
  if (above !== undefined) return typeof value === 'number' && value > above;
  if (below !== undefined) return typeof value === 'number' && value < below;
  return value !== undefined;
}

/** A parameter that the body does not have is left out: its default counts, or the intent is refused. */
function paramsOf({ params }: WebhookRule, body: Json): Json {
  const known = { params: {}, steps: {}, body };
  const there = Object.entries(params).filter(([, value]) =>
    referencesIn(value).every((parts) => valueAt(known, parts) !== undefined),
  );
  return filled(Object.fromEntries(there), known) as Json;
}
