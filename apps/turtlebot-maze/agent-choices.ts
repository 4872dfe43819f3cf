import { type AgentChoice, type AgentStep, Type } from 'auraison-edge';

const EXPLORE: AgentChoice = { tool: 'maze.explore_frontier' };
const LIST: AgentChoice = { tool: 'maze.list_frontiers' };
const LOOK: AgentChoice = { tool: 'maze.look' };
const BACK_OUT: AgentChoice = { tool: 'maze.back_out' };
const READS: readonly string[] = [LIST.tool, LOOK.tool, 'robot.stop', 'skill.load'];

/** The value of `next` when nothing is left to do. */
const OVER = /^call run_finish with status (succeeded|failed)$/;
const REASON_CHARS = 120;

type Report = {
  readonly next?: unknown;
  readonly problem?: unknown;
  readonly places?: unknown;
};

/**
 * What makes sense next in a maze. Looking alone gets nowhere: after a look comes a drive, so that even a model
 * that chooses blindly explores the maze; and the search ends when the application says so. Pure.
 */
export function mazeChoices(last: readonly AgentStep[]): readonly AgentChoice[] {
  const step = last.at(-1);
  if (!step) return [EXPLORE, LIST, LOOK];
  const looked = READS.includes(step.tool);
  if (!step.ok) return looked ? [EXPLORE, BACK_OUT] : [EXPLORE, BACK_OUT, LIST, LOOK];
  const { next, problem, places } = (step.result ?? {}) as Report;
  const over = OVER.exec(String(next ?? ''));
  if (over) return [finish(over[1] as 'succeeded')];
  const away = typeof problem === 'string' ? [BACK_OUT] : [];
  if (Array.isArray(places) && places.length > 0) return [goTo(places), ...away, EXPLORE];
  if (looked) return [...away, EXPLORE];
  return away.length > 0 ? [BACK_OUT, LIST] : [EXPLORE, LIST, LOOK];
}

/** The same tools, with narrower schemas where values are known. */
function finish(status: 'succeeded' | 'failed'): AgentChoice {
  const reason = Type.String({ minLength: 1, maxLength: REASON_CHARS });
  return {
    tool: 'run.finish',
    input: Type.Object({ status: Type.Literal(status), reason }, { additionalProperties: false }),
  };
}

function goTo(places: readonly unknown[]): AgentChoice {
  const letters = places.map((place) => String((place as { readonly place?: unknown } | null)?.place));
  return {
    tool: 'maze.go_to',
    input: Type.Object({ place: Type.Enum(letters) }, { additionalProperties: false }),
  };
}
