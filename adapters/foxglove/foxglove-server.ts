import type { GraphSnapshot } from '../../contract/core.ts';
import {
  type AttachOptions,
  AttachServer,
  type Client,
  type Connection,
} from '../../io/attached/attach-server.ts';
import type { OfferedTopic } from '../../io/attached/messages.ts';
import type { ServerParts } from '../../io/attached/server-parts.ts';
import type { AssetShelf } from './asset-shelf.ts';
import { ChannelBook } from './channel-book.ts';
import { ServiceBook } from './service-book.ts';
import { FoxgloveSession } from './session.ts';

/** What Foxglove asks for now comes first; Lichtblick and older clients speak the other. */
export const SUBPROTOCOLS = ['foxglove.sdk.v1', 'foxglove.websocket.v1'] as const;

export type FoxgloveParts = ServerParts & {
  readonly assets: Pick<AssetShelf, 'fetch'>;
  /** Name of the robot. */
  readonly name: string;
  readonly sessionId: string;
  readonly isSimulated: boolean;
};

/** The Foxglove WebSocket server of this robot. */
export class FoxgloveServer {
  readonly #parts: FoxgloveParts;
  readonly #server: AttachServer;
  readonly #channels = new ChannelBook();
  readonly #services = new ServiceBook();
  readonly #sessions = new Set<FoxgloveSession>();
  #endGraph: (() => void) | undefined;
  #graph: GraphSnapshot | undefined;
  readonly #endTopics: () => void;

  constructor(options: Omit<AttachOptions, 'subprotocols'>, parts: FoxgloveParts) {
    const { clock, robot, callerOf, report } = parts;
    this.#parts = parts;
    this.#server = new AttachServer(
      { ...options, subprotocols: SUBPROTOCOLS },
      { clock, callerOf, report, open: (connection) => this.#open(connection) },
    );
    for (const topic of robot.topics()) this.#channels.add(topic);
    this.#endTopics = robot.onTopics((added, removed) => this.#changeTopics(added, removed));
  }

  /** Number of clients. */
  get clients(): number {
    return this.#server.clients;
  }

  /** Resolves with the port. */
  start(): Promise<number> {
    return this.#server.start();
  }

  close(): void {
    this.#server.close();
    this.#endTopics();
    this.#endGraph?.();
    for (const session of this.#sessions) session.close();
  }

  #open({ queue, caller, hangUp }: Connection): Client {
    const { clock, robot, assets, name, sessionId, hasRos, isSimulated, doorOf } = this.#parts;
    const session = new FoxgloveSession({
      ...{ clock, robot, queue, hangUp, assets, name, sessionId, hasRos, isSimulated },
      ...{ channels: this.#channels, services: this.#services },
      door: caller && doorOf(caller),
    });
    this.#sessions.add(session);
    session.start();
    if (hasRos) this.#watchGraph();
    if (this.#graph) session.graphChanged(this.#graph);
    return {
      text: (text) => session.receiveText(text),
      binary: (frame) => session.receiveBinary(frame),
      lost: (topic, count) => session.lost(topic, count),
      closed: () => {
        this.#sessions.delete(session);
        session.close();
        if (this.#sessions.size > 0) return;
        this.#endGraph?.();
        this.#endGraph = undefined;
        this.#graph = undefined;
      },
    };
  }

  #changeTopics(added: readonly OfferedTopic[], removed: readonly OfferedTopic[]): void {
    const gone = removed.flatMap(({ topic }) => this.#channels.remove(topic) ?? []);
    const come = added.map((topic) => this.#channels.add(topic));
    for (const session of this.#sessions) session.topicsChanged(come, gone);
  }

  /** Services and nodes come from the graph. It is watched while there is a client. */
  #watchGraph(): void {
    this.#endGraph ??= this.#parts.robot.onGraph((graph) => {
      this.#graph = graph;
      const { added, removed } = this.#services.update(graph);
      for (const session of this.#sessions) {
        session.graphChanged(graph);
        if (added.length + removed.length > 0) session.servicesChanged(added, removed);
      }
    });
  }
}
