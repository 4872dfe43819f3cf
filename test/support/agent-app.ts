import { Type } from 'typebox';
import type { Application, Harness, RunContext, RunOutcome } from '../../contract/index.ts';
import type { RuntimeOptions } from '../../daemon/runtime/runtime-options.ts';

export type Work = (context: RunContext) => Promise<Partial<RunOutcome> | undefined>;

/** An application whose agent is a function of a test; its params are free. */
export function agentApp(name: string, more: Partial<Application> = {}): Application {
  return {
    name,
    version: '1.0.0',
    description: name,
    harness: 'pi',
    intents: [
      { type: `${name}/go`, description: 'go', params: Type.Object({}, { additionalProperties: true }) },
    ],
    deadlineMs: 600_000,
    afterCut: 'resume',
    agent: { instructions: '', prompt: () => '', tools: ['*'], turnsMax: 100 },
    ...more,
  };
}

/** Harnesses for such applications: what each of them does, by name. A thrown error is a defect of the harness. */
export function agents(works: Readonly<Record<string, Work>>): Pick<RuntimeOptions, 'harnesses'> {
  const harness = (app: Application): Harness => ({
    kind: 'pi',
    execute: async (context) => ({
      status: 'succeeded',
      reason: 'done',
      summary: {},
      ...(await works[app.name]!(context)),
    }),
  });
  return { harnesses: { pi: harness } };
}

/** Never ends by itself; rejects when the run does. */
export function forever({ signal }: RunContext): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
