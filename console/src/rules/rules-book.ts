/** Decisions of policies as the page shows them, the newest first, each once. Pure. */

export type Rule = {
  readonly id: string;
  readonly effect: string;
  readonly line: number;
  readonly text?: string;
};
export type PolicyView = {
  readonly policy_sha256: string;
  readonly built_in: boolean;
  readonly files: readonly { readonly file: string; readonly policies: number }[];
  readonly policies: readonly Rule[];
  readonly loaded_ts: string;
  readonly reload_error?: string;
};

export type Decision = {
  readonly key: string;
  readonly ts: string;
  readonly decision: string;
  readonly point: string;
  readonly subject: string;
  readonly reason: string;
  readonly hook: string;
  /** The caller, with roles; empty: the event does not say. */
  readonly who: string;
  readonly rules: readonly string[];
  readonly runId?: string;
  /** What was judged, in one line. */
  readonly facts: string;
  /** By policies that are no longer in force. */
  readonly before: boolean;
};

type Fields = Readonly<Record<string, unknown>>;
type DecisionEvent = {
  readonly event_id: string;
  readonly ts: string;
  readonly kind: string;
  readonly run_id?: string;
  readonly payload: Fields;
};

const KEPT = 500;
const FACTS_MAX = 600;

/** Folds events; what is older than the newest 500 is left out. */
export class RulesBook {
  #events: DecisionEvent[] = [];
  /** How many were left out. */
  leftOut = 0;

  take(event: DecisionEvent): void {
    if (event.kind !== 'policy.decided') return;
    this.#events.push(event);
    if (this.#events.length <= KEPT) return;
    this.leftOut += this.#events.length - KEPT;
    this.#events = this.#events.slice(-KEPT);
  }

  decisions(): readonly DecisionEvent[] {
    return [...this.#events].reverse();
  }
}

export function decisionOf(event: DecisionEvent, inForce: string | undefined): Decision {
  const { payload } = event;
  const text = (name: string) => (typeof payload[name] === 'string' ? (payload[name] as string) : '');
  const request = (payload['request'] ?? {}) as Fields;
  const facts = JSON.stringify(request['facts']) ?? '';
  const hash = text('policy_sha256');
  return {
    key: event.event_id,
    ts: event.ts,
    ...{ decision: text('decision'), point: text('point'), subject: text('subject') },
    ...{ reason: text('reason'), hook: text('hook') },
    who: whoOf(request['principal'] as Fields | undefined),
    rules: Array.isArray(payload['determining']) ? (payload['determining'] as string[]) : [],
    ...(event.run_id === undefined ? {} : { runId: event.run_id }),
    facts: facts.length > FACTS_MAX ? `${facts.slice(0, FACTS_MAX - 1)}…` : facts,
    before: hash !== '' && inForce !== undefined && hash !== inForce,
  };
}

function whoOf(principal: Fields | undefined): string {
  if (!principal) return '';
  const roles = Array.isArray(principal['roles']) ? (principal['roles'] as string[]) : [];
  const tenant = principal['tenant'] === 'local' ? '' : `${principal['tenant']}:`;
  return `${tenant}${principal['id']}${roles.length > 0 ? ` (${roles.join(', ')})` : ''}`;
}

/** Decisions that hold every word. `news`: without those that simply allow. */
export function narrowed(all: readonly Decision[], words: string, news: boolean): readonly Decision[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((one) => {
    const { decision, point, subject, reason, who, rules, facts } = one;
    const text = [decision, point, subject, reason, who, ...rules, facts].join(' ').toLowerCase();
    return (!news || decision !== 'allow') && wanted.every((word) => text.includes(word));
  });
}

/** Rules that hold every word in id, effect or text. */
export function rulesWith(rules: readonly Rule[], words: string): readonly Rule[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return rules.filter(({ id, effect, text = '' }) => {
    const whole = `${id} ${effect} ${text}`.toLowerCase();
    return wanted.every((word) => whole.includes(word));
  });
}
