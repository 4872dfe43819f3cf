import type { Application, Harness, Intent, RunContext, RunOutcome } from '../../../contract/index.ts';
import { FlowHarness } from '../flow/flow-harness.ts';
import { loopFlow, loopTools } from './loop-flow.ts';

/** The harness of an application, with its outer loop where it has one. */
export function looped(app: Application, inner: Harness): Harness {
  return app.loop
    ? new LoopHarness(inner, new FlowHarness(loopFlow(app.name, app.loop, app.deadlineMs)))
    : inner;
}

/** Whether this run carries out the loop of its application, and not one of its rounds. */
export function isLoopRun(
  app: Application,
  { round, attended }: { readonly round: unknown; readonly attended: boolean | undefined },
): boolean {
  // A person who talks with an agent judges for themselves.
  return app.loop !== undefined && round === undefined && attended !== true;
}

/** The tools of a run that carries out a loop; undefined for all others, which have those of the application. */
export function loopToolNames(
  app: Application,
  { round, intent }: { readonly round: unknown; readonly intent: Intent },
): readonly string[] | undefined {
  return app.loop && isLoopRun(app, { round, attended: intent.attended }) ? loopTools(app.loop) : undefined;
}

/** Carries out the loop; its rounds are runs of their own, carried out by the harness of the application. */
class LoopHarness implements Harness {
  readonly kind: Harness['kind'];
  readonly #inner: Harness;
  readonly #loop: FlowHarness;

  constructor(inner: Harness, loop: FlowHarness) {
    this.kind = inner.kind;
    this.#inner = inner;
    this.#loop = loop;
  }

  execute(context: RunContext): Promise<RunOutcome> {
    const isRound = context.round !== undefined || context.intent.attended === true;
    return (isRound ? this.#inner : this.#loop).execute(context);
  }
}
