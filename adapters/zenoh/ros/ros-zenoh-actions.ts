import type { CallOptions, GoalHandle, MessageValue, RosActions } from '../../../contract/core.ts';
import { ActionClient } from './action-client.ts';
import { type ActionHandlers, ActionServer } from './action-server.ts';
import type { MessageCodec } from './message-codec.ts';
import { resolveName } from './names.ts';
import type { ServiceCaller } from './service-caller.ts';
import type { RosZenohSession } from './session.ts';

/** Actions of ROS nodes on rmw_zenoh, and those of this daemon for them. */
export class RosZenohActions implements RosActions {
  readonly #session: RosZenohSession;
  readonly #codec: MessageCodec;
  readonly #caller: ServiceCaller;
  /** One per action for as long as we are in the graph: what a robot offers is a handful. */
  readonly #clients = new Map<string, ActionClient>();
  readonly #servers = new Set<ActionServer>();

  constructor(session: RosZenohSession, codec: MessageCodec, caller: ServiceCaller) {
    this.#session = session;
    this.#codec = codec;
    this.#caller = caller;
  }

  send(
    name: string,
    type: string,
    goal: MessageValue,
    options: CallOptions & { readonly onFeedback?: (value: MessageValue) => void },
  ): Promise<GoalHandle> {
    const action = resolveName(name, this.#session.options.namespace);
    const id = `${action} ${type}`;
    let client = this.#clients.get(id);
    if (!client) {
      client = new ActionClient(this.#session, this.#codec, this.#caller, action, type);
      this.#clients.set(id, client);
    }
    return client.send(goal, options);
  }

  async serve(name: string, type: string, handlers: ActionHandlers): Promise<{ close(): Promise<void> }> {
    const action = resolveName(name, this.#session.options.namespace);
    const server = new ActionServer(this.#session, this.#codec, action, type, handlers);
    await server.open();
    this.#servers.add(server);
    return {
      close: async () => {
        if (this.#servers.delete(server)) await server.close();
      },
    };
  }

  async close(): Promise<void> {
    const ends = [...this.#clients.values(), ...this.#servers];
    this.#clients.clear();
    this.#servers.clear();
    await Promise.all(ends.map((one) => one.close()));
  }
}
