import type { AppManifest } from '../../../contract/apps/index.ts';
import type { AppFault, IntentSpec, Phrase } from '../../../contract/index.ts';
import { phraseFaults } from '../phrases/phrase-faults.ts';

type IntentRow = AppManifest['intents'][number];

/** The phrases of an intent of a manifest. */
export function phrasesOf({ phrases }: IntentRow): Pick<IntentSpec, 'phrases'> {
  return phrases === undefined || phrases.length === 0 ? {} : { phrases: phrases.map(phraseOf) };
}

/** What is wrong with phrases of a manifest, each with its place. */
export function intentPhraseFaults({ intents }: AppManifest): (AppFault & { path: readonly string[] })[] {
  return intents.flatMap(({ phrases = [], params }, intent) =>
    phrases.flatMap((row, index) => {
      const phrase = phraseOf(row);
      return phraseFaults(phrase, params ?? {}).map((problem) => ({
        file: 'app.toml',
        path: ['intents', `${intent}`, 'phrases', `${index}`],
        problem: `"${phrase.say.slice(0, 80)}": ${problem}`,
      }));
    }),
  );
}

function phraseOf(row: NonNullable<IntentRow['phrases']>[number]): Phrase {
  if (typeof row === 'string') return { say: row };
  return { say: row.say, ...(row.params === undefined ? {} : { params: row.params }) };
}
