import type { TSchema } from 'typebox';
import type { Phrase } from '../phrase.ts';
import type { ScheduleSpec } from '../schedule.ts';
import type { AgentDefinition } from './agent.ts';
import type { FlowDefinition } from './flow.ts';
import type { Harness } from './harness.ts';
import type { LoopDefinition } from './loop.ts';
import type { Tool } from './tool.ts';
import type { WebhookSpec } from './webhook.ts';

/** One type of intent that an application serves. `params` is a closed schema: unknown fields are refused. */
export type IntentSpec = {
  readonly type: string;
  readonly description: string;
  readonly params: TSchema;
  /** Words that mean it without a model. */
  readonly phrases?: readonly Phrase[];
};

/** How many runs of one application run at once, wait, and start. */
export type RunSharing = {
  /** Runs at a time; default 1. */
  readonly runsMax?: number;
  /** Runs that wait; default `LIMITS.RUN_QUEUE_MAX`. Beyond it an intent is refused with `run.limit`. */
  readonly queueMax?: number;
  /** Runs with the same key never run at the same time, whatever their application. Pure; default: no key. */
  concurrencyKey?(params: Readonly<Record<string, unknown>>): string | undefined;
  /** At most this many starts within the time, milliseconds. */
  readonly throttle?: { readonly starts: number; readonly withinMs: number };
};

/** What makes an application one of the `remote` harness. Plain data. */
export type RemoteDefinition = {
  /** Name of the runtime, as `[[runtimes.accept]]` has it. */
  readonly runtime: string;
  /** Name of the agent there. */
  readonly agent: string;
  /** Tools that exist for it, by name or pattern. */
  readonly tools: readonly string[];
  readonly instructions?: string;
  /** The words of an intent. Pure. */
  prompt(params: Readonly<Record<string, unknown>>, intent?: string): string;
  /** What happens to a run whose runtime is lost; motions are stopped in any case. */
  readonly lost: 'wait' | 'pause' | 'fail';
  /** How long a run is without its runtime before it fails, milliseconds. */
  readonly waitMs: number;
};

/** How an application looks ahead by services that imagine and judge, where `[cosmos]` of the configuration wants it. */
export type Foresight = {
  /** Tools beside its own. */
  readonly tools: readonly Tool[];
  /** Tools beside those of its agent, by name or pattern. */
  readonly patterns: readonly string[];
  /** Carries its runs out; `otherwise` is what does it without foresight. `candidates`: futures that are compared. */
  harness(parts: { readonly candidates: number; readonly otherwise: Harness }): Harness;
};

/** What the module of a package adds to its files: `export const application: AppModule`. */
export type AppModule = Pick<Application, 'flow' | 'agent' | 'tools' | 'foresight'>;

/** An application as the runtime runs it, made of a package. Plain data and pure functions. */
export type Application = {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly harness: 'pi' | 'flow' | 'remote';
  readonly intents: readonly IntentSpec[];
  /** Wall time a run may take, milliseconds, where its intent sets no earlier deadline. */
  readonly deadlineMs: number;
  /** What happens to an interrupted run: it continues in its last phase, or it fails with `run.interrupted`. */
  readonly afterCut: 'resume' | 'fail';
  /** For the flow harness. */
  readonly flow?: FlowDefinition;
  /** For the pi harness. If there is a `flow` too, the flow takes over the mission while no model can be reached. */
  readonly agent?: AgentDefinition;
  /** For the remote harness. */
  readonly remote?: RemoteDefinition;
  /** Its result is checked, and its runs are done again with the findings. */
  readonly loop?: LoopDefinition;
  /** Times at which it wants its intents; their roles are those of the configuration. */
  readonly schedules?: readonly Omit<ScheduleSpec, 'roles'>[];
  /** Cedar policies that its package brings: they forbid, for its own intents and runs. */
  readonly policies?: readonly { readonly file: string; readonly text: string }[];
  /** Ways in for other systems. */
  readonly webhooks?: readonly WebhookSpec[];
  /** Tools of its own. */
  readonly tools?: readonly Tool[];
  readonly foresight?: Foresight;
  /** Its folder, absolute: `SKILL.md`, `skills/<name>/SKILL.md`, `extensions/*.ts`. Absent: it has none. */
  readonly folder?: string;
  /** Limits of its runs: see `RunSharing`. */
  readonly sharing?: RunSharing;
  /** What one run may spend on models unless it is given less. */
  readonly budget?: { readonly turns?: number; readonly tokens?: number };
  /** SHA-256 of the package that it was made of; absent: it is built in. */
  readonly digest?: string;
};
