import {
  type CellContext,
  EdgeError,
  type Lake,
  type LakeMove,
  type LakeMover,
  type LakePlace,
} from '../../contract/core.ts';

/** A failing move is tried again after this, doubling up to the next. */
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** Copying beside the writer ends when so few slices differ, or after so many passes: the rest is copied with writes held. */
const FEW_SLICES = 16;
const PASSES_MAX = 8;

export type MovePorts = {
  /** A move that was asked for before this start. Throws what opening throws. */
  moving(): LakePlace | undefined;
  /** Durable when it resolves. */
  intend(to: LakePlace): Promise<void>;
  mover(source: Lake, to: LakePlace): Promise<LakeMover>;
};

/** Moves the lake of a memory cell to another place. The copy runs beside its writes; only the end holds them. */
export class LakeMoves {
  readonly #context: CellContext;
  readonly #ports: MovePorts;
  readonly #ready: () => void;
  #to: LakePlace | undefined;
  #known = false;
  #source: Lake | undefined;
  #copying: Promise<void> | undefined;
  #mover: LakeMover | undefined;
  #isCopied = false;
  #isOver = false;
  #isFinishing = false;
  #failures = 0;
  #dueMs = 0;
  #last: LakeMove | undefined;

  /** `ready`: the rest of the move is to be done by `step`, soon. */
  constructor(context: CellContext, ports: MovePorts, ready: () => void) {
    this.#context = context;
    this.#ports = ports;
    this.#ready = ready;
  }

  status(): LakeMove | undefined {
    const last = this.#last;
    if (!last || last.state === 'done' || !this.#mover) return last;
    return { ...last, ...this.#mover.progress() };
  }

  /** Starts a move, or turns one round that runs. `at`: where the lake is now. */
  async ask(to: LakePlace, at: LakePlace): Promise<LakeMove> {
    if (this.#isFinishing)
      throw new EdgeError('cell.overloaded', {
        ...{ operation: 'lake.move', subject: to, message: 'a move of the lakehouse is at its end' },
        hint: 'try again in a moment',
      });
    if (this.#to !== to || this.#last?.state === 'done') {
      await this.#ports.intend(to);
      await this.drop();
      this.#failures = 0;
      this.#dueMs = 0;
      this.#to = to === at ? undefined : to;
      this.#known = true;
      this.#last = { ...blank(to), state: to === at ? 'done' : 'copying' };
    }
    this.#ready();
    return this.status() ?? blank(to);
  }

  /**
   * Between two writes to `lake`, at its writer's turn. Resolves to the lake in its new place, once it is proven equal;
   * the old one is to be closed, and `done` called.
   */
  async step(lake: Lake): Promise<Lake | undefined> {
    if (!this.#known) {
      this.#known = true;
      this.#to = this.#ports.moving();
      if (this.#to) this.#last = blank(this.#to);
    }
    const to = this.#to;
    if (to === undefined || this.#context.clock.monotonicMs() < this.#dueMs) return undefined;
    // The lake was opened again: what was copied stays, and is skipped.
    if (this.#source !== undefined && this.#source !== lake) await this.drop();
    this.#source = lake;
    if (!this.#isCopied) {
      this.#copying ??= this.#copy(lake, to);
      return undefined;
    }
    this.#isFinishing = true;
    try {
      const { lake: moved, tables } = await this.#mover!.finish();
      this.#last = { ...this.status()!, state: 'done', reason: '', tables };
      this.#to = undefined;
      return moved;
    } catch (thrown) {
      await this.#failed(thrown);
      return undefined;
    } finally {
      this.#isFinishing = false;
    }
  }

  /** The old lake is closed: what it held goes. */
  async done(): Promise<void> {
    const mover = this.#mover;
    this.#forget();
    try {
      await mover?.retire();
    } catch (error) {
      this.#context.report('warn', 'what the lakehouse held in its old place could not be removed', {
        error: String(error),
      });
    }
  }

  /** Lets go of both lakes; what was copied stays in the new place. */
  async drop(): Promise<void> {
    this.#isOver = true;
    await this.#copying?.catch(() => {});
    const mover = this.#mover;
    this.#forget();
    await mover?.abandon().catch(() => {});
  }

  #forget(): void {
    this.#mover = undefined;
    this.#copying = undefined;
    this.#source = undefined;
    this.#isCopied = false;
    this.#isOver = false;
  }

  async #copy(lake: Lake, to: LakePlace): Promise<void> {
    try {
      this.#mover = await this.#ports.mover(lake, to);
      this.#last = { ...(this.#last ?? blank(to)), state: 'copying', reason: '' };
      for (let pass = 0; pass < PASSES_MAX && !this.#isOver; pass++)
        if ((await this.#mover.copy(() => this.#isOver)) <= FEW_SLICES) break;
      this.#isCopied = !this.#isOver;
      this.#ready();
    } catch (thrown) {
      // Not awaited: it waits for this copy.
      void this.#failed(thrown);
    }
  }

  async #failed(thrown: unknown): Promise<void> {
    const error = EdgeError.from(thrown, 'lake.failed', 'lake.move', 'lake');
    this.#failures += 1;
    const wait = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (this.#failures - 1));
    this.#dueMs = this.#context.clock.monotonicMs() + wait;
    const last = this.#last ?? blank(this.#to ?? 'embedded');
    if (last.reason !== error.message)
      this.#context.report('warn', `the lakehouse is not moved yet: ${error.message}`, { ...error.toBody() });
    this.#last = { ...last, state: 'waiting', reason: error.message };
    await this.drop();
  }
}

function blank(to: LakePlace): LakeMove {
  return { to, state: 'copying', slices: 0, of: 0, copied: 0, reason: '', tables: [] };
}
