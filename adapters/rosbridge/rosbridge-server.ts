import {
  type AttachOptions,
  AttachServer,
  type Client,
  type Connection,
} from '../../io/attached/attach-server.ts';
import type { ServerParts } from '../../io/attached/server-parts.ts';
import { MessageTexts } from './message-json.ts';
import { RosbridgeSession } from './session.ts';

/** The rosbridge v2 server of this robot. */
export class RosbridgeServer {
  readonly #parts: ServerParts;
  readonly #server: AttachServer;
  readonly #texts = new MessageTexts();

  constructor(options: Omit<AttachOptions, 'subprotocols'>, parts: ServerParts) {
    const { clock, callerOf, report } = parts;
    this.#parts = parts;
    this.#server = new AttachServer(
      { ...options, subprotocols: [] },
      { clock, callerOf, report, open: (connection) => this.#open(connection) },
    );
  }

  /** Resolves with the port. */
  start(): Promise<number> {
    return this.#server.start();
  }

  close(): void {
    this.#server.close();
  }

  #open({ queue, caller, hangUp }: Connection): Client {
    const { clock, robot, hasRos, doorOf } = this.#parts;
    const door = caller && doorOf(caller);
    const session = new RosbridgeSession({ clock, robot, queue, hangUp, hasRos, door, texts: this.#texts });
    return {
      text: (text) => session.receive(text),
      binary: () => session.receive(''),
      lost: (topic, count) => session.lost(topic, count),
      closed: () => session.close(),
    };
  }
}
