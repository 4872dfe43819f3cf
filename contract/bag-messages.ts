import type { BodyOf } from './bodies/kit.ts';
import type * as recordings from './bodies/recording.ts';
/** Body of `bag.play`. */
export type PlayOptions = BodyOf<typeof recordings.PlayOptions>;

/** Body of `bag.play_control`, beside the id of the play. */
export type PlayOrder = BodyOf<typeof recordings.PlayOrder>;

/** A recording that is being played: what `bag.play` and `bag.play_state` answer, and `GET /v1/plays/{id}`. */
export type PlayState = BodyOf<typeof recordings.PlayState>;

/** A play by its id: body of `bag.play_state` and `bag.play_stop`. */
export type PlayNamed = BodyOf<typeof recordings.PlayNamed>;

/** What `bag.adopt` answers: the segments that are in the log now. */
export type BagAdopted = BodyOf<typeof recordings.BagAdopted>;
