import {
  EdgeError,
  type FlowScope,
  type FlowStep,
  type RunTools,
  type Tool,
  type ToolScope,
  type ToolSpec,
  Type,
} from 'auraison-edge';
import { recall, remember } from './agent-memory.ts';
import { type Choice, rankGoals } from './choose-goal.ts';
import { FAILURES_MAX, type MazeFacts, type MazeParams, round } from './facts.ts';
import { survey } from './frontier.ts';
import { mapPicture } from './map-picture.ts';
import { explore, navigate, plan, recover, seen } from './states.ts';

type Scope = FlowScope<MazeFacts, MazeParams>;

const closed = { additionalProperties: false } as const;
const NO_ARGUMENTS = Type.Object({}, closed);
/** Frontiers that a model is offered at a time, by letter. */
const LETTERS = ['A', 'B', 'C', 'D'] as const;
/** A stretch, its way back and a look: far above what either takes. */
const DRIVE_MS = 900_000;
const LOOK_MS = 90_000;

/** The flow makes clips; an agent has the tool `clip_recording` for them. */
const NO_CLIPS: RunTools = {
  recording: 'off',
  clipRecording: async () => {
    throw new EdgeError('robot.not_supported', { operation: 'clip', subject: 'maze' });
  },
  runController: async () => {
    throw new EdgeError('robot.not_supported', { operation: 'controller.run', subject: 'maze' });
  },
  call: async (tool) => {
    throw new EdgeError('tool.not_found', { operation: 'call', subject: tool });
  },
};

/**
 * What an agent can do in a maze. Each tool is one choice without arithmetic: the code computes the numbers,
 * as it does for the flow. Places have letters that `maze.list_frontiers` gives.
 */
export const mazeTools: readonly Tool[] = [
  mazeTool(
    {
      name: 'maze.explore_frontier',
      description:
        'Drives one stretch, some 2.5 m at most, towards the most promising unexplored place. The usual next step ' +
        'while exit_reached is false.',
      input: NO_ARGUMENTS,
      effect: 'actuate',
      replay: 'never',
      deadlineMs: DRIVE_MS,
    },
    async (search) => {
      const planned = await search.step(plan);
      return planned.event === 'goal' ? await search.step(navigate) : planned;
    },
  ),
  mazeTool(
    {
      name: 'maze.list_frontiers',
      description: `Lists up to ${LETTERS.length} unexplored places by letter, the most promising first: unknown floor in square metres, way in metres.`,
      input: NO_ARGUMENTS,
      effect: 'read',
      replay: 'safe',
      deadlineMs: LOOK_MS,
    },
    async (search) => {
      const places = (await search.choices()).map(({ target }, index) => ({
        place: LETTERS[index]!,
        unknown_m2: target.gain_m2,
        way_m: target.cost_m,
      }));
      return { event: 'listed', reason: `${places.length} places`, more: { places } };
    },
  ),
  mazeTool(
    {
      name: 'maze.go_to',
      description: 'Drives one stretch towards a place of maze.list_frontiers, by its letter.',
      input: Type.Object(
        { place: Type.Enum([...LETTERS], { description: 'letter of maze.list_frontiers' }) },
        closed,
      ),
      effect: 'actuate',
      replay: 'never',
      deadlineMs: DRIVE_MS,
    },
    async (search, { place }) => {
      const choices = await search.choices();
      const choice = choices[LETTERS.indexOf(place as (typeof LETTERS)[number])];
      if (!choice)
        throw new EdgeError('robot.no_path', {
          operation: 'maze.go_to',
          subject: String(place),
          message: `there is no place ${String(place)} now`,
          hint: 'call maze_list_frontiers',
        });
      search.head(choice);
      return await search.step(navigate);
    },
  ),
  mazeTool(
    {
      name: 'maze.back_out',
      description:
        'Backs up a little and turns to look around. For when a drive ended stuck or without a path.',
      input: NO_ARGUMENTS,
      effect: 'actuate',
      replay: 'never',
      deadlineMs: DRIVE_MS,
    },
    (search) => search.step(recover),
  ),
  mazeTool(
    {
      name: 'maze.look',
      description:
        'Reports whether the exit is reached, how far the robot has driven, and what is left to explore.',
      input: NO_ARGUMENTS,
      effect: 'read',
      replay: 'safe',
      deadlineMs: LOOK_MS,
    },
    async () => ({ event: 'looked', reason: '' }),
  ),
];

/**
 * The map as an image, with the places as discs and where they are in `map`, metres: for the search with foresight,
 * not for models that choose by letter.
 */
export const pictureTool: Tool = {
  spec: {
    name: 'maze.picture',
    description:
      'The map from above as an image, the unexplored places as discs, and what is left to explore.',
    input: NO_ARGUMENTS,
    effect: 'read',
    replay: 'safe',
    deadlineMs: LOOK_MS,
    origin: 'app',
  },
  run: async (_args, scope) => {
    const search = new Search(scope);
    const { map, pose } = await search.seen();
    const choices = await search.choices();
    const data = mapPicture(
      map,
      pose,
      choices.map(({ target }) => target),
    );
    const places = choices.map(({ target: { x, y, gain_m2, cost_m } }, index) => ({
      place: LETTERS[index]!,
      ...{ x, y, unknown_m2: gain_m2, way_m: cost_m },
    }));
    const report = await search.report();
    search.keep();
    return { result: { places, ...report }, images: [{ mime: 'image/png', data }] };
  },
};

type Done = FlowStep<MazeFacts> & { readonly more?: Readonly<Record<string, unknown>> };

function mazeTool(
  spec: Omit<ToolSpec, 'origin'>,
  work: (search: Search, args: Readonly<Record<string, unknown>>) => Promise<Done>,
): Tool {
  return {
    spec: { ...spec, origin: 'app' },
    run: async (args, scope) => {
      const search = new Search(scope);
      try {
        const { event, reason, more = {} } = await work(search, args);
        return {
          result: {
            outcome: event,
            ...(reason === '' ? {} : { reason }),
            ...more,
            ...(await search.report()),
          },
        };
      } finally {
        search.keep();
      }
    },
  };
}

/** The states of the flow, entered one by one as an agent asks. */
class Search {
  readonly #scope: Scope;
  readonly #runId: string;
  #facts: MazeFacts;

  constructor({ runId, intent, robot, clock, signal }: ToolScope) {
    if (!robot) throw new EdgeError('robot.unreachable', { operation: 'search', subject: 'robot' });
    this.#runId = runId;
    this.#facts = recall(runId);
    const facts = () => this.#facts;
    this.#scope = {
      get facts() {
        return facts();
      },
      params: intent.params as MazeParams,
      intent,
      robot,
      tools: NO_CLIPS,
      clock,
      signal,
    };
  }

  async step(state: (scope: Scope) => Promise<FlowStep<MazeFacts>>): Promise<Done> {
    const step = await state(this.#scope);
    this.#facts = { ...this.#facts, ...step.facts };
    return step;
  }

  async choices(): Promise<readonly Choice[]> {
    const { pose, map } = await seen(this.#scope);
    return rankGoals(map, survey(map, pose), { ...this.#facts, target: null }, LETTERS.length);
  }

  seen() {
    return seen(this.#scope);
  }

  head({ target, leg }: Choice): void {
    this.#facts = { ...this.#facts, target, leg };
  }

  /** The end of every result: whether it is the exit, and the usual next step. */
  async report(): Promise<Readonly<Record<string, unknown>>> {
    const { event, reason } = await this.step(explore);
    const { exit, distance_m, bumps, open_m2, failures, problem } = this.#facts;
    const next = nextOf(event, failures >= FAILURES_MAX, problem);
    return {
      exit_reached: exit,
      distance_m,
      bumps,
      unknown_m2: round(open_m2),
      ...(problem === '' ? {} : { problem }),
      ...(event === 'limit' ? { limit: reason } : {}),
      next,
    };
  }

  keep(): void {
    remember(this.#runId, this.#facts);
  }
}

/** The usual next step, in words that a small model can follow. */
function nextOf(event: string, outOfPatience: boolean, problem: string): string {
  if (event === 'exit') return 'call run_finish with status succeeded';
  if (event === 'limit' || outOfPatience) return 'call run_finish with status failed';
  return problem === '' ? 'call maze_explore_frontier' : 'call maze_back_out';
}
