import type {
  Application,
  BlobStore,
  Harness,
  IdSource,
  PolicyHook,
  RunTools,
  Tool,
} from '../../contract/index.ts';
import type { ModelsOfRun } from './attempt/active-run.ts';
import type { Governance } from './governance/governance.ts';
import type { LoadParts } from './queue/loaded-apps.ts';
import type { RunSharingRules } from './queue/run-sharing.ts';

export type RuntimeOptions = {
  /** Name of this robot, as `targets` of intents name it. */
  readonly robot: string;
  readonly apps: readonly Application[];
  /** Why an application that would serve this type of intent takes no intents; undefined where no package would serve it. */
  readonly whyNot?: (type: string) => string | undefined;
  readonly hooks: readonly PolicyHook[];
  readonly ids: IdSource;
  /** For applications whose harness is not `flow`. */
  readonly harnesses?: Partial<Record<Harness['kind'], (app: Application) => Harness>>;
  readonly versionOf?: LoadParts['versionOf'];
  /** Called before unfinished runs continue, with their applications. Some of these are of older versions. */
  readonly readyVersions?: (apps: readonly Application[]) => Promise<void>;
  /** How the execution cell records. Default: `off`. */
  readonly recording?: RunTools['recording'];
  /** Tools beside those of the applications: built-in tools and those of MCP servers. Called at each start of a run. */
  readonly tools?: (app: Application) => readonly Tool[];
  readonly models?: ModelsOfRun;
  readonly blobs?: BlobStore;
  /** Cedar policies, quotas and grants. Their hooks are among `hooks`. */
  readonly governance?: Governance;
  /** How runs share this host. Default: `DEFAULT_SHARING`. */
  readonly sharing?: Partial<RunSharingRules>;
};
