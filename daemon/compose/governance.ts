import { basename, join } from 'node:path';
import {
  checkAside,
  LastGoodPolicies,
  PolicyBook,
  readPolicySource,
  SiteAndPackages,
} from '../../adapters/cedar/index.ts';
import { openEventReader } from '../../adapters/event-log/index.ts';
import {
  type Application,
  type CellContext,
  type HookQuestion,
  type PolicyHook,
  TOPICS,
} from '../../contract/core.ts';
import { readGrants, readPublicKey } from '../grant-files.ts';
import { Governance } from '../runtime/governance/governance.ts';
import { GrantBook } from '../runtime/governance/grant-book.ts';
import { grantKey } from '../runtime/governance/grant-signature.ts';
import { LatestTime } from '../runtime/governance/latest-time.ts';
import { QuotaBook } from '../runtime/governance/quota-book.ts';
import { QuotaHook } from '../runtime/governance/quota-hook.ts';
import { SpentElsewhere } from '../runtime/governance/spent-elsewhere.ts';
import type { Settings } from '../settings.ts';
import { makeRejudge } from './rejudge.ts';

export type ComposedGovernance = {
  readonly hooks: readonly PolicyHook[];
  readonly governance: Governance;
};

/** What helps against a broken policy or entity file. */
const FIX = 'fix the file, run `auraison policy check`, then `auraison policy reload`';

/**
 * Policies, quotas and grants of the runtime cell. Throws `config.invalid` for keys and quotas; broken policy files
 * are reported, and the last good ones stay in force. `tenantOf` gives the tenant of a run.
 */
export async function makeGovernance(
  settings: Settings,
  { clock, bus, report, emit }: CellContext,
  tenantOf: (runId: string) => string | undefined,
  /** Whose intent or run a question is about. */
  appOf: (question: HookQuestion) => Application | undefined = () => undefined,
): Promise<ComposedGovernance> {
  const { config, dataDir } = settings;
  const { policy } = config;
  const time = new LatestTime(clock);
  const keys = new Map(
    policy.grant_keys.map((path) => [
      basename(path).replace(/\.[^.]*$/, ''),
      grantKey(readPublicKey(path), path),
    ]),
  );
  const grants = new GrantBook({
    ...{ robot: config.daemon.name, clock, time, keys: () => keys },
    report: (message, facts) => report('error', message, facts),
  });
  const policies = await PolicyBook.open({
    ...{ robot: config.daemon.name, clock },
    read: () => readPolicySource(policy.dir, policy.files),
    standing: (context) => grants.standing(context),
    base: { speedMax: config.robot.speed_max, turnMax: config.robot.turn_max },
    lastGood: new LastGoodPolicies(join(dataDir, 'policy', 'last-good.json'), policy, (error) =>
      report('warn', 'the policies in force could not be kept for the next start', { error }),
    ),
    onFault: (error, fallback) => {
      const body = { ...error.toBody(), hint: error.hint || FIX };
      report('error', `the policies were not taken: ${error.message}; in force: ${fallback}`, {
        error: body,
      });
      emit([{ kind: 'cell.degraded', payload: { error: body } }]).catch(() => {});
    },
  });
  const quotas = new QuotaBook(policy.quotas, time, tenantOf);
  const elsewhere = policy.quotas.some(({ metric }) => metric === 'recorded_bytes')
    ? new SpentElsewhere({
        ...{ clock, book: quotas, open: () => openEventReader(dataDir, 'execution') },
        report: (message, facts) => report('warn', message, facts),
      })
    : undefined;
  bus.onBroadcast(TOPICS.logGrew, (_body, from) => {
    if (from === 'execution') elsewhere?.grew();
  });
  const governance = new Governance({
    ...{ policies, quotas, grants, elsewhere, report },
    rejudge: makeRejudge(settings, clock, () => policies.source),
    localGrants: () => readGrants(policy.grants, report),
    onChange: (sha256) => bus.broadcast(TOPICS.policyChanged, { sha256 }),
  });
  bus.onBroadcast(TOPICS.configChanged, () => void governance.reload().catch(() => {}));
  const rules = new SiteAndPackages(policies, appOf, checkAside(clock));
  return { hooks: policy.quotas.length === 0 ? [rules] : [rules, new QuotaHook(quotas)], governance };
}
