import type { CellBus, Clock, IdSource, NewEvent, RunTools } from '../../../contract/index.ts';
import type { RunParts } from '../attempt/run-parts.ts';
import type { PolicyGate } from '../law/policy-gate.ts';
import type { RobotProxy } from '../robot/robot-proxy.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { LoadedApps } from './loaded-apps.ts';
import type { RunSharingRules } from './run-sharing.ts';

export type SchedulerParts = {
  readonly store: RunStore;
  readonly loaded: LoadedApps;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly hooks: PolicyGate;
  readonly robot: RobotProxy;
  readonly bus: Pick<CellBus, 'request'>;
  readonly recording: RunTools['recording'];
  readonly tools: RunParts['tools'];
  readonly models: RunParts['models'];
  readonly blobs: RunParts['blobs'];
  readonly approvals?: RunParts['approvals'];
  readonly stops?: RunParts['stops'];
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
  readonly sharing: RunSharingRules;
};
