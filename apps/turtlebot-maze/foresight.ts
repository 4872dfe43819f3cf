import { createHash } from 'node:crypto';
import {
  EdgeError,
  type Harness,
  type NewEvent,
  type RunContext,
  type RunOutcome,
  type ToolAnswer,
  type ToolImage,
} from 'auraison-edge';
import { DISCS } from './map-picture.ts';

const PHASE = 'foresight';
/** Rounds of one search; beyond it the search loops. */
const ROUNDS_MAX = 400;
/** Rounds in a row without a judgement, after which the search continues without foresight. */
const MISSES_MAX = 2;
const OVER = /^call run_finish with status (succeeded|failed)$/;
const BACK_OUT = 'call maze_back_out';

export type ForesightOptions = {
  /** Places whose way is predicted in one round. */
  readonly candidates: number;
  /**
   * The search without foresight, used where a service is missing or late again and again; after a cut it continues in
   * its own phases.
   */
  readonly otherwise: Harness;
};

/** A chosen place is driven to in stretches; after this many the choice is made again. */
const STRETCHES_MAX = 6;
/** Places move as the map grows: within this they are the same one, metres. */
const SAME_M = 0.7;

type Position = {
  readonly round: number;
  /** Where it drives, in `map`, metres, and the stretches towards it so far. */
  readonly target: { readonly x: number; readonly y: number } | null;
  readonly stretches: number;
  readonly misses: number;
  readonly predicted: number;
  readonly transferred: number;
  readonly judged: number;
};
const BEGIN: Position = {
  round: 0,
  target: null,
  stretches: 0,
  misses: 0,
  predicted: 0,
  transferred: 0,
  judged: 0,
};

type Place = {
  readonly place: string;
  readonly x: number;
  readonly y: number;
  readonly unknown_m2: number;
  readonly way_m: number;
};
type Report = Readonly<Record<string, unknown>> & {
  readonly places?: readonly Place[];
  readonly next?: string;
};
type Judged = { readonly place: Place; readonly score: number };

/**
 * The maze with foresight: the present view is continued towards each of the best places (predict), made to look real
 * (transfer), judged (reason), and the robot drives to the place that looks best (navigate). Every step is a call of a
 * tool: judged, bounded, in the log. A missing service costs only its part of a round.
 */
export class ForesightHarness implements Harness {
  readonly kind: Harness['kind'];
  readonly #options: ForesightOptions;

  constructor(options: ForesightOptions) {
    this.kind = options.otherwise.kind;
    this.#options = options;
  }

  async execute(context: RunContext): Promise<RunOutcome> {
    const { resume } = context;
    // The other search had taken over before the cut.
    if (resume && resume.phase !== PHASE) return await this.#handOver(context, undefined);
    let position: Position = { ...BEGIN, ...(resume?.facts as Partial<Position> | undefined) };
    if (!this.#has(context, 'world.reason'))
      return await this.#handOver(context, 'no reasoner is configured');
    if (!resume) await context.emit([phase(context, position, 'begin')]);
    while (position.round < ROUNDS_MAX) {
      await context.unpaused();
      const step = await this.#round(context, position);
      if ('status' in step) return step;
      position = { ...step, round: position.round + 1 };
      if (position.misses >= MISSES_MAX)
        return await this.#handOver(context, `no judgement in ${position.misses} rounds in a row`);
      await context.emit([phase(context, position, `round ${position.round}`)]);
    }
    return { status: 'failed', reason: `no end after ${ROUNDS_MAX} rounds`, summary: figures(position) };
  }

  async #round(context: RunContext, position: Position): Promise<Position | RunOutcome> {
    const { report, picture } = await this.#look(context);
    const over = OVER.exec(report.next ?? '');
    if (over) return ended(over[1] as 'succeeded', report, position);
    const places = report.places ?? [];
    if (report.next === BACK_OUT) {
      await this.#drive(context, 'maze.back_out', {});
      return { ...position, target: null };
    }
    const under = underWay(position, places);
    if (under) {
      await this.#drive(context, 'maze.go_to', { place: under.place });
      return { ...position, target: { x: under.x, y: under.y }, stretches: position.stretches + 1 };
    }
    if (places.length < 2) {
      await this.#drive(context, 'maze.explore_frontier', {});
      return { ...position, target: null };
    }
    const ahead = await this.#lookAhead(
      context,
      position,
      places.slice(0, this.#options.candidates),
      picture,
    );
    const { best } = ahead;
    if (!best) {
      await this.#drive(context, 'maze.explore_frontier', {});
      return { ...ahead.position, target: null };
    }
    await this.#drive(context, 'maze.go_to', { place: best.place.place });
    const { x, y } = best.place;
    return { ...ahead.position, target: { x, y }, stretches: 1 };
  }

  /** The place whose future looks best; none where no judgement came. */
  async #lookAhead(
    context: RunContext,
    from: Position,
    places: readonly Place[],
    map: string | undefined,
  ): Promise<{ readonly best: Judged | undefined; readonly position: Position }> {
    let position = from;
    const camera = await this.#camera(context);
    const judged: Judged[] = [];
    for (const [index, place] of places.entries()) {
      const disc = DISCS[index]!.name;
      let film: string | undefined;
      if (map !== undefined && this.#has(context, 'world.predict')) {
        film = await this.#film(context, 'world.predict', {
          picture_sha256: map,
          prompt: `A map of a maze from above. The blue robot drives to the ${disc} disc along free floor and does not touch the black walls.`,
          seed: position.round,
        });
        if (film !== undefined) position = { ...position, predicted: position.predicted + 1 };
      }
      if (film !== undefined && this.#has(context, 'world.transfer')) {
        const real = await this.#film(context, 'world.transfer', {
          video_sha256: film,
          prompt: 'A small robot on wheels drives along a corridor of a real building, seen from above.',
          seed: position.round,
        });
        if (real !== undefined) position = { ...position, transferred: position.transferred + 1 };
        film = real ?? film;
      }
      const question =
        `A robot looks for the exit of a maze. Judge the way to place ${place.place}, the ${disc} disc: ` +
        `${place.way_m} m away, ${place.unknown_m2} square metres of unknown floor behind it. ` +
        'Is the way free, and how likely does it lead to new floor and to the exit?' +
        (camera === undefined ? '' : ' The image is what its camera sees now.');
      const verdict = await this.#judge(context, question, film, camera ?? (film ? undefined : map));
      if (!verdict) continue;
      position = { ...position, judged: position.judged + 1 };
      if (!verdict.blocked) judged.push({ place, score: verdict.score });
    }
    const heard = position.judged > from.judged;
    // Equal ones go to the first: the one with the most unknown floor per metre.
    const best = judged.reduce<Judged | undefined>((a, b) => (a && a.score >= b.score ? a : b), undefined);
    return { best, position: { ...position, misses: heard ? 0 : position.misses + 1 } };
  }

  /** What is left to explore, and the map as an image. */
  async #look(
    context: RunContext,
  ): Promise<{ readonly report: Report; readonly picture: string | undefined }> {
    const { result, images } = await context.toolBox.call('maze.picture', {});
    return { report: result as Report, picture: hashOf(images?.[0]) };
  }

  /** What the camera sees, where the robot has one. */
  async #camera(context: RunContext): Promise<string | undefined> {
    if (!this.#has(context, 'robot.look')) return undefined;
    return hashOf((await this.#tried(context, 'robot.look', {}))?.images?.[0]);
  }

  async #film(
    context: RunContext,
    tool: string,
    args: Readonly<Record<string, unknown>>,
  ): Promise<string | undefined> {
    const sha256 = (await this.#tried(context, tool, args))?.result['video_sha256'];
    return typeof sha256 === 'string' ? sha256 : undefined;
  }

  async #judge(
    context: RunContext,
    question: string,
    film: string | undefined,
    picture: string | undefined,
  ): Promise<{ readonly score: number; readonly blocked: boolean; readonly why: string } | undefined> {
    const answer = await this.#tried(context, 'world.reason', {
      question,
      ...(film === undefined ? {} : { video_sha256: film }),
      ...(picture === undefined ? {} : { picture_sha256: picture }),
    });
    if (!answer) return undefined;
    const { score, blocked, why } = answer.result;
    return { score: Number(score), blocked: blocked === true, why: String(why) };
  }

  /** A call that may fail: the search continues without its result. Only the end of the run is passed on. */
  async #tried(
    context: RunContext,
    tool: string,
    args: Readonly<Record<string, unknown>>,
  ): Promise<ToolAnswer | undefined> {
    try {
      return await context.toolBox.call(tool, args);
    } catch (thrown) {
      if (context.signal.aborted || !(thrown instanceof EdgeError)) throw thrown;
      return undefined;
    }
  }

  /** An interrupted drive may have happened, and a place may be gone: the next look shows. */
  async #drive(context: RunContext, tool: string, args: Readonly<Record<string, unknown>>): Promise<void> {
    try {
      await context.toolBox.call(tool, args);
    } catch (thrown) {
      const known = thrown instanceof EdgeError && ['run.interrupted', 'robot.no_path'].includes(thrown.code);
      if (context.signal.aborted || !known) throw thrown;
    }
  }

  async #handOver(context: RunContext, reason: string | undefined): Promise<RunOutcome> {
    if (reason === undefined) return await this.#options.otherwise.execute(context);
    const outcome = await this.#options.otherwise.execute({ ...context, resume: undefined });
    return {
      ...outcome,
      reason: `without foresight (${reason}): ${outcome.reason}`.slice(0, 512),
      summary: { ...outcome.summary, foresight: false },
    };
  }

  #has({ toolBox }: RunContext, tool: string): boolean {
    return toolBox.specs().some(({ name }) => name === tool);
  }
}

/** The place that it drives to already, where it is still one. */
function underWay({ target, stretches }: Position, places: readonly Place[]): Place | undefined {
  if (!target || stretches >= STRETCHES_MAX) return undefined;
  return places.find(({ x, y }) => Math.hypot(x - target.x, y - target.y) <= SAME_M);
}

/** Images of a run are blobs, named by their hash. */
function hashOf(image: ToolImage | undefined): string | undefined {
  return image && createHash('sha256').update(image.data).digest('hex');
}

function phase(context: RunContext, position: Position, reason: string): NewEvent {
  return {
    kind: 'run.phase',
    run_id: context.runId,
    payload: { phase: PHASE, reason: reason.slice(0, 512), facts: { ...position } },
  };
}

function ended(status: 'succeeded' | 'failed', seen: Report, position: Position): RunOutcome {
  return {
    status,
    reason:
      status === 'succeeded' ? 'the exit is reached' : `stopped: ${String(seen['limit'] ?? seen['problem'])}`,
    ...(status === 'succeeded' ? { score: 1 } : {}),
    summary: {
      ...figures(position),
      reached: seen['exit_reached'] === true,
      distance_m: seen['distance_m'] ?? 0,
    },
  };
}

function figures({ round, predicted, transferred, judged }: Position): Record<string, unknown> {
  return { foresight: true, rounds: round, predicted, transferred, judged };
}
