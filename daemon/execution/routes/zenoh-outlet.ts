import { EdgeError, type KeySpace, type Sample } from '../../../contract/core.ts';
import type { Sent } from './dispatcher.ts';
import { isSessionLost } from './inlet.ts';
import type { Lane } from './lane.ts';
import { encodeNote, encodingOf } from './note.ts';
import type { Outlet, Route } from './route.ts';

/** Samples as values of a key space: bytes as they are, the type in the encoding, the rest in the note. */
export class ZenohOutlet implements Outlet {
  readonly #source: string;
  #keySpace: KeySpace | undefined;

  readonly #onLost: (lost: KeySpace, reason: string) => void;
  readonly #refuses: (route: Route, key: string, sample: Sample) => EdgeError | undefined;

  /**
   * `source`: what the notes say where samples come from. `onLost`: a session is closed, and not by us. `refuses`: why
   * a value may not go to a key that a robot hears.
   */
  constructor(
    source: string,
    onLost: (lost: KeySpace, reason: string) => void,
    refuses: (route: Route, key: string, sample: Sample) => EdgeError | undefined = () => undefined,
  ) {
    this.#source = source;
    this.#onLost = onLost;
    this.#refuses = refuses;
  }

  use(keySpace: KeySpace | undefined): void {
    this.#keySpace = keySpace;
  }

  prepare(): undefined {}

  send(route: Route, lane: Lane, sample: Sample): Sent {
    const keySpace = this.#keySpace;
    if (!keySpace) {
      throw new EdgeError('zenoh.closed', {
        operation: 'forward',
        subject: lane.target,
        message: 'no session is open',
      });
    }
    const refused = this.#refuses(route, lane.target, sample);
    if (refused) throw refused;
    lane.seq += 1;
    const { type, stamp, bytes } = sample;
    const { congestion, express } = route.spec;
    const sent = keySpace.put(lane.target, bytes, {
      encoding: encodingOf(type),
      attachment: encodeNote({ type, stamp, source: this.#source, seq: lane.seq }),
      priority: route.priorityOf(lane),
      congestion,
      express,
    });
    return sent.catch((error: unknown) => {
      if (isSessionLost(error) && keySpace === this.#keySpace) this.#onLost(keySpace, String(error));
      throw error;
    });
  }
}
