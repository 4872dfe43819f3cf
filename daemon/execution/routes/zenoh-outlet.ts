import { EdgeError, type KeySpace, type Sample } from '../../../contract/core.ts';
import type { Sent } from './dispatcher.ts';
import type { Lane } from './lane.ts';
import { encodeNote, encodingOf } from './note.ts';
import type { Outlet, Route } from './route.ts';

/** Samples as values of a key space: bytes as they are, the type in the encoding, the rest in the note. */
export class ZenohOutlet implements Outlet {
  #keySpace: KeySpace | undefined;

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
    lane.seq += 1;
    const { type, stamp, bytes } = sample;
    const { congestion, express } = route.spec;
    return keySpace.put(lane.target, bytes, {
      encoding: encodingOf(type),
      attachment: encodeNote({ type, stamp, source: keySpace.id(), seq: lane.seq }),
      priority: route.priorityOf(lane),
      congestion,
      express,
    });
  }
}
