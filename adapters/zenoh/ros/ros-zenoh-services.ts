import { type CallOptions, EdgeError, type MessageValue, type RosServices } from '../../../contract/core.ts';
import type { MessageCodec } from './message-codec.ts';
import { resolveName } from './names.ts';
import type { ServiceCaller } from './service-caller.ts';
import { type ServeOptions, ServiceServer } from './service-server.ts';
import type { RosZenohSession } from './session.ts';

/** Services of ROS nodes on rmw_zenoh, and those of this daemon for them. */
export class RosZenohServices implements RosServices {
  readonly #session: RosZenohSession;
  readonly #codec: MessageCodec;
  readonly #caller: ServiceCaller;
  readonly #servers = new Set<ServiceServer>();

  constructor(session: RosZenohSession, codec: MessageCodec, caller: ServiceCaller) {
    this.#session = session;
    this.#codec = codec;
    this.#caller = caller;
  }

  async call(name: string, type: string, request: MessageValue, options: CallOptions): Promise<MessageValue> {
    try {
      return await this.#caller.call(this.#absolute(name), type, request, options);
    } catch (error) {
      // In ROS the client of a server that failed gets no answer; here it gets an error before the deadline.
      if (!(error instanceof EdgeError) || error.code !== 'ros.failed') throw error;
      throw new EdgeError('deadline.exceeded', {
        operation: error.operation,
        subject: error.subject,
        message: error.message,
        cause: error,
      });
    }
  }

  async serve(
    name: string,
    type: string,
    handle: (request: MessageValue) => Promise<MessageValue>,
    options: ServeOptions = {},
  ): Promise<{ close(): Promise<void> }> {
    const server = new ServiceServer(this.#session, this.#codec, this.#absolute(name), type, handle, options);
    await server.open();
    this.#servers.add(server);
    return {
      close: async () => {
        if (this.#servers.delete(server)) await server.close();
      },
    };
  }

  async close(): Promise<void> {
    const servers = [...this.#servers];
    this.#servers.clear();
    await Promise.all(servers.map((server) => server.close()));
  }

  #absolute(name: string): string {
    return resolveName(name, this.#session.options.namespace);
  }
}
