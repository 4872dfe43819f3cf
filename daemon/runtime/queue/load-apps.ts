import { type Application, EdgeError, type Harness } from '../../../contract/index.ts';
import { FlowHarness } from '../flow/flow-harness.ts';
import type { Loaded } from './run-scheduler.ts';

type LoadParts = {
  readonly apps: readonly Application[];
  /** For applications whose harness is not `flow`. */
  readonly harnesses?: Partial<Record<Harness['kind'], (app: Application) => Harness>>;
};

/** Applications by name, each with what runs it. Throws `config.invalid`. */
export function loadApps(parts: LoadParts): Map<string, Loaded> {
  const loaded = new Map<string, Loaded>();
  for (const app of parts.apps) {
    if (loaded.has(app.name)) throw broken(app, 'two applications have this name');
    loaded.set(app.name, { app, harness: harnessOf(app, parts) });
  }
  return loaded;
}

function harnessOf(app: Application, parts: LoadParts): Harness {
  const own = parts.harnesses?.[app.harness];
  if (own) return own(app);
  if (app.harness !== 'flow') throw broken(app, `there is no ${app.harness} harness here`);
  if (!app.flow) throw broken(app, 'its harness is flow and it has no flow');
  return new FlowHarness(app.flow);
}

function broken(app: Application, message: string): EdgeError {
  return new EdgeError('config.invalid', { operation: 'load application', subject: app.name, message });
}
