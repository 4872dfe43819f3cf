import { EdgeError, type Sample, type TopicSpec } from '../../contract/core.ts';

/** A bag being played, as the adapter that can read it offers it. */
export type PlayableBag = {
  /** Opens the bag; playing begins with the next turn of the event loop. Throws `bag.malformed`. */
  open(onSample: (sample: Sample) => void): Promise<void>;
  /** After `open`. */
  topics(): readonly TopicSpec[];
  /** Messages of the whole bag, where it says so. */
  readonly messages: number | undefined;
  /** Settles when playing ended; never rejects. */
  readonly finished: Promise<{ readonly messages: number; readonly fault: EdgeError | undefined }>;
  close(): Promise<void>;
};

export type PlayOptions = {
  readonly path: string;
  readonly rate: number;
  readonly loop: boolean;
  readonly startS: number;
  readonly topics: readonly string[];
};

export type PlayState = {
  readonly play_id: string;
  readonly path: string;
  readonly state: 'playing' | 'finished' | 'failed' | 'stopped';
  /** In the whole bag; null where it does not say. */
  readonly messages: number | null;
  readonly published: number;
  readonly reason: string;
};

type Play = { state: PlayState; readonly bag: PlayableBag };

/** Plays that are remembered, so that a client may still ask for the result. */
const PLAYS_MAX = 32;

/** Plays bags onto the bus: as if the robot had sent the samples now, in the order and pace of the bag. */
export class BagPlayer {
  readonly #open: (options: PlayOptions) => Promise<PlayableBag>;
  readonly #publish: (sample: Sample) => void;
  readonly #declare: (topics: readonly TopicSpec[]) => void;
  readonly #plays = new Map<string, Play>();
  #next = 1;
  #opening = false;

  constructor(parts: {
    open(options: PlayOptions): Promise<PlayableBag>;
    publish(sample: Sample): void;
    declare(topics: readonly TopicSpec[]): void;
  }) {
    this.#open = parts.open;
    this.#publish = parts.publish;
    this.#declare = parts.declare;
  }

  /** Resolves when the first message is under way; throws `bag.malformed` where the bag cannot be read. */
  async start(options: PlayOptions): Promise<PlayState> {
    if (this.#opening || this.playing() > 0) {
      throw new EdgeError('cell.overloaded', {
        operation: 'bag play',
        subject: options.path,
        message: 'a bag is being played already',
        hint: 'wait for its end, or stop it',
      });
    }
    this.#opening = true;
    try {
      return await this.#begin(options);
    } finally {
      this.#opening = false;
    }
  }

  async #begin(options: PlayOptions): Promise<PlayState> {
    const bag = await this.#open(options);
    const id = String(this.#next++);
    const play: Play = {
      bag,
      state: {
        play_id: id,
        path: options.path,
        state: 'playing',
        messages: bag.messages ?? null,
        published: 0,
        reason: '',
      },
    };
    let published = 0;
    await bag.open((sample) => {
      published++;
      this.#publish(sample);
      play.state = { ...play.state, published };
    });
    this.#declare(bag.topics());
    this.#remember(id, play);
    void bag.finished.then(({ fault }) =>
      this.#end(play, fault ? 'failed' : 'finished', fault?.message ?? ''),
    );
    return play.state;
  }

  /** Throws `run.not_found` for a play that nobody knows (any more). */
  state(id: string): PlayState {
    return this.#play(id).state;
  }

  async stop(id: string): Promise<PlayState> {
    const play = this.#play(id);
    this.#end(play, 'stopped', 'asked to');
    await play.bag.close();
    return play.state;
  }

  playing(): number {
    return [...this.#plays.values()].filter((play) => play.state.state === 'playing').length;
  }

  async close(): Promise<void> {
    for (const play of this.#plays.values()) if (play.state.state === 'playing') await play.bag.close();
  }

  #end(play: Play, state: PlayState['state'], reason: string): void {
    if (play.state.state !== 'playing') return;
    play.state = { ...play.state, state, reason };
    void play.bag.close();
  }

  #remember(id: string, play: Play): void {
    this.#plays.set(id, play);
    if (this.#plays.size > PLAYS_MAX) this.#plays.delete(this.#plays.keys().next().value!);
  }

  #play(id: string): Play {
    const play = this.#plays.get(id);
    if (play) return play;
    throw new EdgeError('run.not_found', { operation: 'bag play', subject: id, message: `no play ${id}` });
  }
}
