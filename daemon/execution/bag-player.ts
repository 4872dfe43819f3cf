import type { PlayOptions, PlayOrder, PlayState } from '../../contract/bag-messages.ts';
import { type CellName, EdgeError, type Sample, type TopicSpec } from '../../contract/core.ts';
import { BagPlay, type BagPlayerParts, type PlaySink } from './bag-play.ts';
import { type LeaseHold, TopicClasses } from './door/index.ts';

export type { BagPlayerParts, PlayableBag, PlaySink, PlayTarget } from './bag-play.ts';

/** Plays that are remembered, so that a client may still ask for the result. */
const PLAYS_MAX = 32;

/** Plays bags, one at a time, onto the bus, into ROS or into the key space, and steers them. */
export class BagPlayer {
  readonly #parts: BagPlayerParts;
  readonly #plays = new Map<string, BagPlay>();
  #next = 1;
  #opening: PlayOptions | undefined;
  #stops = 0;

  constructor(parts: BagPlayerParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when playing has started; throws `bag.malformed` where the bag cannot be read, and the target's errors.
   */
  async start(options: PlayOptions, from: CellName = 'runtime', wantedAtMs?: number): Promise<PlayState> {
    if (this.#opening || this.playing() > 0) {
      throw new EdgeError('cell.overloaded', {
        operation: 'bag play',
        subject: options.path,
        message: 'a bag is already playing',
        hint: 'wait until it ends, or stop it',
      });
    }
    this.#opening = options;
    const stops = this.#stops;
    let hold: LeaseHold | undefined;
    try {
      hold = options.allowCommands === true ? await this.#parts.hold?.(from, wantedAtMs) : undefined;
      const play = new BagPlay(String(this.#next++), options, this.#parts, hold);
      await play.begin(this.#parts.topics ?? new TopicClasses());
      this.#plays.set(play.id, play);
      // The robot was stopped while the bag was opened: nothing of it has been played yet.
      const isStopped = this.#stops !== stops || hold?.signal.aborted === true;
      if (options.allowCommands === true && isStopped) await play.stop();
      if (this.#plays.size > PLAYS_MAX) this.#plays.delete(this.#plays.keys().next().value!);
      return play.state();
    } catch (error) {
      hold?.release();
      throw error;
    } finally {
      this.#opening = undefined;
    }
  }

  /** Throws `run.not_found` for a play that is not (or no longer) known. */
  state(id: string): PlayState {
    return this.#play(id).state();
  }

  async stop(id: string): Promise<PlayState> {
    const play = this.#play(id);
    await play.stop();
    return play.state();
  }

  /** Pause, resume, another place, another rate. Throws `run.not_found`, or `schema.invalid` for one that is over. */
  control(id: string, order: PlayOrder): PlayState {
    const play = this.#play(id);
    if (!play.isRunning) {
      throw new EdgeError('schema.invalid', {
        operation: 'bag play',
        subject: id,
        message: `playback ${id} has ended: ${play.state().state}`,
      });
    }
    if (order.action === 'pause') play.bag.pause();
    if (order.action === 'resume') play.bag.resume();
    if (order.action === 'seek') play.seek(order.positionS ?? 0);
    if (order.action === 'rate') play.bag.setRate(order.rate ?? 1);
    return play.state();
  }

  /** It runs, and what it plays may be obeyed by a robot. */
  drives(id: string): boolean {
    return [...this.#plays.values()].some((play) => play.id === id && play.isRunning && play.playsCommands);
  }

  playing(): number {
    return [...this.#plays.values()].filter((play) => play.isRunning).length;
  }

  /** The playback that runs; undefined where no bag is played. */
  current(): string | undefined {
    return [...this.#plays.values()].find((play) => play.isRunning)?.id;
  }

  /** What is played, or about to be, may be obeyed by a robot. */
  isMoving(): boolean {
    if (this.#opening?.allowCommands === true) return true;
    return [...this.#plays.values()].some((play) => play.isRunning && play.playsCommands);
  }

  /** The robot is stopped: a recording of commands would drive it on. Other plays continue. */
  readonly stopCommands = async (): Promise<void> => {
    this.#stops += 1;
    const driving = [...this.#plays.values()].filter((play) => play.isRunning && play.playsCommands);
    await Promise.all(driving.map((play) => play.stop()));
  };

  async close(): Promise<void> {
    for (const play of this.#plays.values()) if (play.isRunning) await play.stop();
  }

  #play(id: string): BagPlay {
    const play = this.#plays.get(id);
    if (play) return play;
    throw new EdgeError('run.not_found', {
      operation: 'bag play',
      subject: id,
      message: `unknown playback ${id}`,
    });
  }
}

/** Takes everything at once: the bus of this host. */
export function busSink(
  publish: (sample: Sample) => void,
  declare: (topics: readonly TopicSpec[]) => void,
): PlaySink {
  return {
    async advertise(topic) {
      declare([topic]);
    },
    send(sample) {
      publish(sample);
      return { verdict: 'sent', sample };
    },
    async close() {},
  };
}
