import type { RosApi, RosGraph } from '../../../contract/core.ts';
import { ServiceLifecycle, ServiceParameters } from '../../../formats/ros2/index.ts';
import { MessageCodec } from './message-codec.ts';
import { RosZenohActions } from './ros-zenoh-actions.ts';
import { RosZenohServices } from './ros-zenoh-services.ts';
import { ServiceCaller } from './service-caller.ts';
import type { RosZenohSession } from './session.ts';

/** Everything of ROS 2 but its samples, over Zenoh: graph, services, actions, parameters, lifecycle. */
export class RosZenohApi implements RosApi {
  readonly graph: RosGraph;
  readonly services: RosZenohServices;
  readonly actions: RosZenohActions;
  readonly parameters: ServiceParameters;
  readonly lifecycle: ServiceLifecycle;
  readonly #session: RosZenohSession;
  readonly #caller: ServiceCaller;

  constructor(session: RosZenohSession) {
    const codec = new MessageCodec(session.types);
    this.#session = session;
    this.#caller = new ServiceCaller(session, codec);
    this.graph = session.graph;
    this.services = new RosZenohServices(session, codec, this.#caller);
    this.actions = new RosZenohActions(session, codec, this.#caller);
    this.parameters = new ServiceParameters(this.services);
    this.lifecycle = new ServiceLifecycle(this.services);
  }

  /** Joins the graph; throws what opening the key space throws. */
  async open(): Promise<void> {
    await this.#session.start(this);
  }

  async close(): Promise<void> {
    await this.actions.close();
    await this.services.close();
    await this.#caller.close();
    await this.#session.release(this);
  }
}
