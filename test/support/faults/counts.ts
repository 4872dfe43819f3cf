import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type CampaignResult, merged, type Row } from './campaign.ts';
import { FAULTS } from './faults.ts';

/** What a campaign has counted so far, as it is kept in a file. */
export type Counts = {
  /** Everything that decides which trial has which number: counts of another plan cannot be continued. */
  readonly plan: string;
  /** The command that makes this file, but for the number of trials and the file. */
  readonly command: string;
  readonly trials: number;
  readonly rows: readonly Row[];
  readonly failures: readonly { readonly why: readonly string[]; readonly again: string }[];
};

export function noCounts(plan: string, command: string): Counts {
  return { plan, command, trials: 0, rows: [], failures: [] };
}

/** These counts and the next trials of the same plan. */
export function added(counts: Counts, { trials, rows, failures }: CampaignResult): Counts {
  return {
    ...counts,
    trials: counts.trials + trials,
    rows: merged([counts.rows, rows]),
    failures: [...counts.failures, ...failures.map(({ why, again }) => ({ why, again }))],
  };
}

/** Undefined where there is no such file. Throws where it holds something else. */
export function readCounts(path: string): Counts | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
  const counts = JSON.parse(text) as Counts;
  if (typeof counts.plan !== 'string' || !Array.isArray(counts.rows))
    throw new Error(`${path} holds no counts of the fault campaign; name another file`);
  // What the file says of a fault may be older than the list.
  const rows = counts.rows.flatMap((row) => {
    const fault = FAULTS.find(({ id }) => id === row.fault.id);
    // Counts of an older version do not say what moved the robot.
    return fault ? [{ ...row, fault, ways: row.ways ?? {} }] : [];
  });
  return { ...counts, rows };
}

/** Whole or not at all: the process may be killed at any time. */
export function writeCounts(path: string, counts: Counts): void {
  writeFileSync(`${path}.tmp`, JSON.stringify(counts));
  renameSync(`${path}.tmp`, path);
}
