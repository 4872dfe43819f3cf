/** Body of `bag.play`. */
export type PlayOptions = {
  readonly path: string;
  readonly rate: number;
  readonly loop: boolean;
  readonly startS: number;
  /**
   * Waits at least this long for listeners to find the topics, before the first message and after the last, seconds.
   */
  readonly delayS?: number | undefined;
  /** Plays this much at most, seconds; absent: to the end. */
  readonly durationS?: number | undefined;
  /** Patterns; none: all. */
  readonly topics: readonly string[];
  readonly exclude?: readonly string[] | undefined;
  /** `/old:=/new`. */
  readonly remap?: readonly string[] | undefined;
  readonly to?: 'bus' | 'ros' | 'zenoh' | undefined;
  /** Key prefix for `zenoh`; absent: that of the configuration. */
  readonly prefix?: string | undefined;
  /** Publishes the time of the bag on `/clock` so often, hertz; 0: not. */
  readonly clockHz?: number | undefined;
  /** Plays what a robot obeys too, under the actuation lease and through the gate. */
  readonly allowCommands?: boolean | undefined;
  /** Starts paused. */
  readonly paused?: boolean | undefined;
};

/** Body of `bag.play_control`, beside the id of the play. */
export type PlayOrder = {
  readonly action: 'pause' | 'resume' | 'seek' | 'rate';
  /** From the start of the bag, seconds. */
  readonly positionS?: number | undefined;
  /** Times the pace of the recording; 0 is as fast as it goes. */
  readonly rate?: number | undefined;
};

/** A recording that is being played: what `bag.play` and `bag.play_state` answer, and `GET /v1/plays/{id}`. */
export type PlayState = {
  readonly play_id: string;
  readonly path: string;
  readonly to: 'bus' | 'ros' | 'zenoh';
  readonly state: 'playing' | 'paused' | 'finished' | 'failed' | 'stopped';
  /** Of the topics that are played, once through the bag. */
  readonly messages: number;
  readonly published: number;
  /** From the start of the bag, seconds. */
  readonly position_s: number;
  readonly duration_s: number;
  readonly rate: number;
  readonly loops: number;
  /** Topics that are not played because a robot might obey them. */
  readonly withheld: readonly string[];
  readonly reason: string;
};

/** A play by its id: body of `bag.play_state` and `bag.play_stop`. */
export type PlayNamed = { readonly id: string };

/** What `bag.adopt` answers: the segments that are in the log now. */
export type BagAdopted = {
  readonly bag: string;
  readonly segments: readonly {
    readonly bag: string;
    readonly path: string;
    readonly sha256: string;
    readonly bytes: number;
    readonly messages: number;
    readonly repaired: boolean;
  }[];
};
