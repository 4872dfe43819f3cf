import { fileURLToPath } from 'node:url';
import {
  appOfQuestions,
  closedPolicySet,
  judgeWithEntities,
  judgeWithPackages,
  openPolicySet,
  type PolicySource,
} from '../../adapters/cedar/index.ts';
import { openEventReader } from '../../adapters/event-log/index.ts';
import type { Clock, Rejudged, RejudgeRequest } from '../../contract/core.ts';
import { rejudge } from '../../history/rejudge.ts';
import { ForkedReplayApi } from '../runtime/replay/forked-replay.ts';
import type { Settings } from '../settings.ts';
import { usableApps } from './package-reader.ts';

/** The text of the policies that judge again: those of the caller, or those in force. */
export type RejudgePolicies =
  | { readonly of: 'caller'; readonly policies: NonNullable<RejudgeRequest['policies']> }
  /** Undefined: no valid policies were ever in force. */
  | { readonly of: 'robot'; readonly source: PolicySource | undefined };

/** Shorter than a request may take. */
const REJUDGE_MS = 20_000;

/**
 * Judges again in a process of its own: to parse and check 2,000 policies takes seconds, and an emergency stop does
 * not wait for that. `inForce` gives the text of the policies in force.
 */
export function makeRejudge(
  settings: Settings,
  clock: Clock,
  inForce: () => PolicySource | undefined,
): (request: RejudgeRequest) => Promise<Rejudged> {
  const entry = fileURLToPath(new URL('./replay-main.ts', import.meta.url));
  const forked = new ForkedReplayApi({ clock, entry, settings: JSON.stringify(settings) });
  return async ({ sinceMs, policies }) => {
    const by: RejudgePolicies = policies ? { of: 'caller', policies } : { of: 'robot', source: inForce() };
    return await forked.rejudge(sinceMs, by);
  };
}

/** The history of runs and of data that left, under other policies; as far as it comes in time. */
export async function rejudgeHere(
  settings: Settings,
  clock: Clock,
  sinceMs: number,
  by: RejudgePolicies,
): Promise<Rejudged> {
  const end = clock.monotonicMs() + REJUDGE_MS;
  const judge = await judgeOf(settings, by);
  const readers = (['runtime', 'link'] as const).flatMap((cell) => {
    try {
      return [openEventReader(settings.dataDir, cell)];
    } catch {
      return []; // no log of this cell yet
    }
  });
  try {
    return await rejudge(readers, judge, sinceMs, () => clock.monotonicMs() > end);
  } finally {
    for (const reader of readers) reader.close();
  }
}

/**
 * Policies of a caller judge with the entities that each question holds, those in force with their own. Packages are
 * asked as they are on disk.
 */
async function judgeOf(settings: Settings, by: RejudgePolicies) {
  const appOf = appOfQuestions(usableApps(settings));
  if (by.of === 'robot') {
    const set = by.source ? await openPolicySet(by.source) : closedPolicySet();
    return judgeWithEntities(set, judgeWithPackages(set.judge, appOf));
  }
  const { judge } = await openPolicySet({
    policies: by.policies,
    entities: { file: 'entities.json', text: '' },
  });
  return judgeWithPackages(judge, appOf);
}
