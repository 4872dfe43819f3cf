import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FoxgloveServer } from '../../adapters/foxglove/index.ts';
import { METHODS, type Sample, type TopicSpec } from '../../contract/index.ts';
import { SampleFeed } from '../../daemon/execution/attached/sample-feed.ts';
import { encodeAny, type RosValue, schemaFor } from '../../formats/ros2/index.ts';
import { ApiCaller } from '../../io/attached/api-caller.ts';
import { AttachedRobot } from '../../io/attached/attached-robot.ts';
import { FakeDoor } from './foxglove-session.ts';
import type { Rig } from './http-rig.ts';

/**
 * A robot whose live topics the API of a rig serves at `GET /v1/live`, by the server that robots have. What it publishes
 * is what the test says.
 */
export class LiveRobot {
  #server: FoxgloveServer;
  readonly #makeServer: () => FoxgloveServer;
  readonly #feed: SampleFeed;
  #tap: ((sample: Sample) => void) | undefined;
  /** Topics that clients follow now. */
  readonly followed = new Set<string>();
  urdf: string | undefined;
  /** Bytes of all messages so far. */
  published = 0;

  constructor(rig: Rig, folder: string, queueBytes = 16_000_000) {
    const socketPath = join(folder, 'live.sock');
    const robot = new AttachedRobot((message) => {
      if (message.kind === 'follow') {
        for (const topic of message.removed) this.followed.delete(topic);
        for (const topic of message.added) this.followed.add(topic);
      }
      // Between threads a message never arrives within the call that sends it.
      queueMicrotask(() => this.#feed.receive(message));
    });
    this.#feed = new SampleFeed({
      bus: {
        tap: (_name, receive) => {
          this.#tap = (sample) => receive(sample, 'robot' as never);
          return () => {};
        },
      },
      clock: new SystemClock(),
      post: (message) => queueMicrotask(() => robot.receive(message)),
      schemaOf: (type) => schemaFor(type)?.data,
      publish: async () => {},
      now: () => BigInt(Date.now()) * 1_000_000n,
      watchGraph: () => {},
    });
    this.#makeServer = () =>
      new FoxgloveServer(
        {
          ...{ name: 'foxglove', host: '', port: 0, socketPath, clientsMax: 4, queueBytes },
          ...{ isOpen: false, needsToken: true },
        },
        {
          ...{
            clock: new SystemClock(),
            robot,
            name: 'tb1',
            sessionId: 's1',
            hasRos: false,
            isSimulated: false,
          },
          assets: {
            fetch: async () =>
              this.urdf === undefined ? { error: 'no URDF' } : new TextEncoder().encode(this.urdf),
          },
          callerOf: (token) => new ApiCaller({ token, url: () => rig.url, fetch }),
          doorOf: () => new FakeDoor(),
          report: () => {},
        },
      );
    this.#server = this.#makeServer();
    rig.answers.set(METHODS.execution.attachOpen, async () => ({ path: socketPath }));
  }

  get clients(): number {
    return this.#server.clients;
  }

  async start(): Promise<void> {
    this.#feed.start();
    await this.#server.start();
  }

  declare(...topics: TopicSpec[]): void {
    this.#feed.declare(topics);
  }

  publish(topic: string, type: string, value: RosValue, stamp = BigInt(Date.now()) * 1_000_000n): void {
    const bytes = encodeAny(type, value);
    this.published += bytes.length;
    this.#tap?.({ topic, type, stamp, received: stamp, bytes });
  }

  /** All clients are disconnected, and none comes in until `comeBack`. */
  goAway(): void {
    this.#server.close();
  }

  async comeBack(): Promise<void> {
    this.#server = this.#makeServer();
    await this.#server.start();
  }

  stop(): void {
    this.#server.close();
    this.#feed.close();
  }
}
