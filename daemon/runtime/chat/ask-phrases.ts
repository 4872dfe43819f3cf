import {
  type Application,
  checker,
  EdgeError,
  type IntentSpec,
  type NamedPlace,
} from '../../../contract/index.ts';
import { examplesOf, meaningsOf } from '../phrases/phrase-book.ts';
import { type AskChoice, choiceOf, isRelative } from './ask-prompt.ts';

/** A meaning of words that fits its schema. */
export type Meant = { readonly choice: AskChoice; readonly params: Readonly<Record<string, unknown>> };

/** So many are shown. */
const CANDIDATES_MAX = 8;
const EXAMPLES_MAX = 8;

/**
 * What the words mean by the phrases of applications; empty: no phrase fits. Throws `schema.invalid` where phrases fit
 * and their values do not: that is no wish for a model to guess at. Pure.
 */
export function meant(
  words: string,
  apps: readonly Application[],
  places: readonly NamedPlace[],
): readonly Meant[] {
  const faults: string[] = [];
  const found: Meant[] = [];
  for (const { app, spec, params, say } of meaningsOf(words, intentsOf(apps), places)) {
    const choice = choiceOf(app, spec);
    // "Forward" is seen from where the robot stands; only a place that has a name is one of the map then.
    if (choice.ofMap && isRelative(words) && !say.includes(':place}')) continue;
    const fault = checker(spec.params).fault(params);
    if (fault === undefined) found.push({ choice, params });
    else faults.push(`${spec.type} does not take ${JSON.stringify(params)}: ${fault}`);
  }
  if (found.length === 0 && faults.length > 0)
    throw new EdgeError('schema.invalid', {
      operation: 'ask',
      subject: words.slice(0, 64),
      message: faults.slice(0, CANDIDATES_MAX).join('; '),
      hint: 'say it with another value',
    });
  return found.slice(0, CANDIDATES_MAX);
}

/** What can be said without a model, for a hint. Pure. */
export function sayable(apps: readonly Application[], places: readonly NamedPlace[]): string {
  const specs = intentsOf(apps).map(({ spec }) => spec);
  const said = examplesOf(specs, places).slice(0, EXAMPLES_MAX);
  return said.map((one) => `"${one}"`).join(', ');
}

function intentsOf(apps: readonly Application[]): { app: Application; spec: IntentSpec }[] {
  return apps.flatMap((app) => app.intents.map((spec) => ({ app, spec })));
}
