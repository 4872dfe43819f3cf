import {
  type Application,
  EdgeError,
  type Harness,
  type RunContext,
  type RunOutcome,
} from '../../../contract/index.ts';
import { RemoteRun, type RunPauses } from './remote-run.ts';
import type { RemoteRuntimes } from './remote-runtimes.ts';

/** Runs an application in a foreign runtime that dials in (`contract/RUNTIME.md`). */
export class RemoteHarness implements Harness {
  readonly kind = 'remote';
  readonly #app: Application;
  readonly #remote: NonNullable<Application['remote']>;
  readonly #runtimes: RemoteRuntimes;
  readonly #pauses: RunPauses | undefined;

  /** Throws `config.invalid` where the application names no runtime. */
  constructor(app: Application, runtimes: RemoteRuntimes, pauses?: RunPauses) {
    if (!app.remote)
      throw new EdgeError('config.invalid', {
        ...{ operation: 'load application', subject: app.name },
        message: 'its harness is remote and it has no [remote]',
        hint: 'app.toml: [remote] runtime = "NAME"',
      });
    this.#app = app;
    this.#remote = app.remote;
    this.#runtimes = runtimes;
    this.#pauses = pauses;
  }

  async execute(context: RunContext): Promise<RunOutcome> {
    const { runtime } = this.#remote;
    if (!this.#runtimes.identities().some(({ name }) => name === runtime))
      throw new EdgeError('runtime.not_found', {
        ...{ operation: 'execute', subject: runtime },
        hint: `add [[runtimes.accept]] with name = "${runtime}" to the configuration`,
      });
    return await new RemoteRun({
      ...{ app: this.#app, remote: this.#remote, context },
      ...{ runtimes: this.#runtimes, pauses: this.#pauses },
    }).run();
  }
}
