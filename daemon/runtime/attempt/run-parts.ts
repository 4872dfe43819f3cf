import type {
  Application,
  BlobStore,
  CellBus,
  Clock,
  Harness,
  IdSource,
  Intent,
  LanguageModel,
  Nanoseconds,
  NewEvent,
  Robot,
  RunTools,
  StopCount,
  Tool,
} from '../../../contract/index.ts';
import type { Instead } from '../gate/tool-gate.ts';
import type { MotionTurn } from '../gate/tool-gate-parts.ts';
import type { RunDesk } from '../governance/run-approvals.ts';
import type { PolicyGate } from '../law/policy-gate.ts';
import type { Purse } from '../runs/run-budget.ts';
import type { Told } from '../runs/run-store.ts';
import type { RunView } from '../runs/run-view.ts';

export type RunParts = {
  readonly view: RunView;
  readonly app: Application;
  readonly harness: Harness;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly hooks: PolicyGate;
  /** Stops of the robot; absent: none count. */
  readonly stops?: Pick<StopCount, 'now' | 'since'> | undefined;
  /** The robot as this run commands it. */
  readonly robot: RobotOfRun;
  readonly bus: Pick<CellBus, 'request'>;
  readonly recording: RunTools['recording'];
  /** Tools that this application may use. Called once per attempt. */
  readonly tools: (app: Application, view: RunView) => readonly Tool[];
  /** For what runs in a branch of a flow. */
  readonly motionTurn?: MotionTurn | undefined;
  readonly models: ModelsOfRun | undefined;
  readonly blobs: BlobStore | undefined;
  readonly told: Told;
  /** What the run may spend on models. Absent: no limit. */
  readonly purse?: Purse;
  /**
   * Ends the runs that this run asked for. Settles when they are over. Rejects when one of them does not end in time.
   */
  readonly endChildren?: (reason: string) => Promise<void>;
  /** Where people are asked for approval. Absent: calls that need an approval are refused. */
  readonly approvals?: RunDesk | undefined;
  /** For a replay: answers calls from the record instead of executing them. */
  readonly instead?: Instead;
  /** Appends and folds; resolves when durable. */
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
};

/** The models for one run. Calls are judged by the hooks, counted for its tenant, and logged. */
export type ModelsOfRun = (run: {
  readonly runId: string;
  readonly intent: Intent;
  readonly app: Application;
  readonly signal: AbortSignal;
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
}) => LanguageModel | undefined;

export type RobotOfRun = Robot & {
  /** Robot time of its newest answer. */
  lastTime(): Nanoseconds | undefined;
  /** Stops everything that moves. `stop` only ends the motions of this run. Absent: both are the same. */
  stopEverything?(reason: string): Promise<void>;
  /** The run, where an agent decides in it: see `StopNews.run`. */
  readonly agentOf?: string | undefined;
};
