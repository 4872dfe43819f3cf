import {
  type AgentDefinition,
  type Application,
  type BlobStore,
  EdgeError,
  type Harness,
  LIMITS,
  type RunContext,
  type RunOutcome,
} from '../../contract/core.ts';
import { loadPi } from './pi-library.ts';
import { PiRun } from './pi-run.ts';
import type { PiExtension } from './resources.ts';

export type PiHarnessOptions = {
  /** Images and large entries go there; without it a run that has some fails. */
  readonly blobs?: BlobStore | undefined;
  /** Blocks below the instructions of the agent, such as its skills; asked at each start of a run. */
  readonly promptBlocks?: (context: RunContext) => readonly string[] | Promise<readonly string[]>;
  /** Extensions of the application, isolated by their provider; asked at each start of a run. */
  readonly extensions?: (context: RunContext) => readonly PiExtension[] | Promise<readonly PiExtension[]>;
  /** The command of an extension that a message calls; undefined: the message is for the model. */
  readonly command?: (context: RunContext, text: string) => (() => Promise<void>) | undefined;
  /** A session has ended: nothing of its extensions is called afterwards. */
  readonly released?: (context: RunContext) => void;
  /** An extension threw inside Pi; `path` as Pi names it. */
  readonly onExtensionError?: (path: string, event: string, error: string) => void;
  /** Text of the agent as it comes, for who watches. It may be asked for again before it counts. */
  readonly onText?: (context: RunContext, kind: 'text' | 'thinking', text: string) => void;
  /** How long models that cannot be reached are asked again, milliseconds; `LIMITS.AGENT_PATIENCE_MS`. */
  readonly patienceMs?: number;
};

/**
 * Runs an application by a Pi session. Every entry of the session is in the log before anything acts or any model is
 * asked; after a cut the session is restored from the log, calls without a result are asked for again under their ids,
 * and a half answer is asked for again. Pi is loaded by `loadPi`, at the latest with the first run. Rejects with
 * `model.unavailable`, `model.failed` or `deadline.exceeded` when no model answers: then `DegradingHarness` takes over,
 * or the run ends.
 */
export class PiHarness implements Harness {
  readonly kind = 'pi';
  readonly #agent: AgentDefinition;
  readonly #options: PiHarnessOptions;

  /** Throws `config.invalid` when the application is no agent. */
  constructor(app: Pick<Application, 'name' | 'agent'>, options: PiHarnessOptions = {}) {
    if (!app.agent)
      throw new EdgeError('config.invalid', {
        operation: 'load application',
        subject: app.name,
        message: 'its harness is pi and it has no agent',
      });
    this.#agent = app.agent;
    this.#options = options;
  }

  async execute(context: RunContext): Promise<RunOutcome> {
    const { model } = context;
    if (!model)
      throw new EdgeError('model.unavailable', {
        operation: 'execute',
        subject: 'model',
        message: 'no model is configured',
        hint: 'add one under [[models]]',
      });
    const { blobs, promptBlocks, extensions, command, onExtensionError, patienceMs, onText } = this.#options;
    const pi = await loadPi();
    const run = new PiRun({
      pi,
      context,
      model,
      agent: this.#agent,
      blobs,
      promptBlocks: (await promptBlocks?.(context)) ?? [],
      extensions: (await extensions?.(context)) ?? [],
      command: (text) => command?.(context, text),
      onExtensionError: onExtensionError ?? (() => {}),
      onText: (kind, text) => onText?.(context, kind, text),
      patienceMs: patienceMs ?? LIMITS.AGENT_PATIENCE_MS,
    });
    try {
      return await orAborted(run.run(), context.signal);
    } finally {
      run.abandon();
      this.#options.released?.(context);
    }
  }
}

/** A session may not react; an abort always settles. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
