import { type Application, LIMITS, type PressureGauge } from '../../../contract/index.ts';
import type { LoadedApps } from './loaded-apps.ts';
import type { QueueRules, Share } from './run-queue.ts';

/** How runs share this host, as configured; applications may say otherwise for themselves. */
export type RunSharingRules = {
  /** Runs of one application at a time, and those of it that wait, where it says nothing itself. */
  readonly runsPerApp: number;
  readonly queuePerApp: number;
  /** Runs of all applications at a time. */
  readonly runsMax: number;
  /** Waiting this long is worth one level of priority, milliseconds. */
  readonly agingMs: number;
  /** Longest that a busy host or model holds back the only agent, milliseconds. */
  readonly pressureWaitMs: number;
  /** What holds agents back. */
  readonly gauges: readonly PressureGauge[];
};

export const DEFAULT_SHARING: RunSharingRules = {
  runsPerApp: 1,
  queuePerApp: LIMITS.RUN_QUEUE_MAX,
  runsMax: 32,
  agingMs: 30_000,
  pressureWaitMs: 30_000,
  gauges: [],
};

/** Asked at each decision: applications come and go. */
export function queueRules(rules: RunSharingRules, loaded: Pick<LoadedApps, 'get'>): QueueRules {
  const stranger: Share = { runsMax: rules.runsPerApp, queueMax: rules.queuePerApp };
  const { runsMax, agingMs, pressureWaitMs } = rules;
  return {
    share: (name) => {
      const app = loaded.get(name);
      return app ? shareOf(app, rules) : stranger;
    },
    runsMax,
    agingMs,
    pressureWaitMs,
  };
}

function shareOf({ sharing }: Application, rules: RunSharingRules): Share {
  return {
    runsMax: sharing?.runsMax ?? rules.runsPerApp,
    queueMax: sharing?.queueMax ?? rules.queuePerApp,
    ...(sharing?.throttle ? { throttle: sharing.throttle } : {}),
  };
}
