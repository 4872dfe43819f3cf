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
