import { loadPi, type PiExtension, PiHarness } from '../../adapters/pi/index.ts';
import {
  type Application,
  type BlobStore,
  EdgeError,
  type Harness,
  LIMITS,
  type RunContext,
} from '../../contract/core.ts';
import { DegradingHarness } from '../runtime/flow/degrading-harness.ts';

export type AgentParts = {
  readonly blobs: BlobStore | undefined;
  /** Blocks below the instructions of an agent, such as its skills. */
  readonly promptBlocks?: (app: Application) => string | readonly string[];
  /** Extensions of an application, isolated; asked at each start of a run. */
  readonly extensions?: (
    app: Application,
    context: RunContext,
  ) => readonly PiExtension[] | Promise<readonly PiExtension[]>;
  readonly command?: (
    app: Application,
    context: RunContext,
    text: string,
  ) => (() => Promise<void>) | undefined;
  readonly released?: (context: RunContext) => void;
  /** Text of agents as it comes. */
  readonly onText?: (context: RunContext, kind: 'text' | 'thinking', text: string) => void;
  readonly report: (level: 'error', message: string, facts: Readonly<Record<string, unknown>>) => void;
};

/** The application as the configuration wants it run. */
export function withHarness(app: Application, harness: Application['harness']): Application {
  return app.harness === harness ? app : { ...app, harness };
}

/**
 * Has Pi loaded before the cell says that it is up, where an application is an agent: loaded by its first run it would
 * hold the thread for longer than a beating heart may pause, on a slow host. Never rejects: a run says what is missing.
 */
export async function warmUp(apps: readonly Application[], report: AgentParts['report']): Promise<void> {
  if (!apps.some(({ harness }) => harness === 'pi')) return;
  await loadPi().catch((thrown: unknown) => {
    const { code, message, hint } = EdgeError.from(thrown, 'host.missing', 'load', 'pi');
    report('error', `agents cannot run: ${message}`, { code, hint });
  });
}

/** Agents of the pi harness; where an application has a flow too, that carries on when no model answers. */
export function piHarnesses(parts: AgentParts): { readonly pi: (app: Application) => Harness } {
  const { blobs, promptBlocks, extensions, command, released, report, onText } = parts;
  return {
    pi: (app) => {
      const agent = new PiHarness(app, {
        blobs,
        ...(promptBlocks ? { promptBlocks: () => [promptBlocks(app)].flat() } : {}),
        ...(extensions ? { extensions: (context) => extensions(app, context) } : {}),
        ...(command ? { command: (context, text) => command(app, context, text) } : {}),
        ...(released ? { released } : {}),
        ...(onText ? { onText } : {}),
        onExtensionError: (extension, event, error) =>
          report('error', 'an extension threw', { app: app.name, extension, event, error }),
        patienceMs: app.flow ? LIMITS.AGENT_PATIENCE_DEGRADING_MS : LIMITS.AGENT_PATIENCE_MS,
      });
      return app.flow ? new DegradingHarness(agent, app.flow) : agent;
    },
  };
}
