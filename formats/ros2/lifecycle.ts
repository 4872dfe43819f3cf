import {
  type CallOptions,
  EdgeError,
  type LifecycleState,
  type LifecycleTransition,
  type RosLifecycle,
  type RosServices,
} from '../../contract/core.ts';

/** Primary states of lifecycle_msgs/msg/State; from 10 on a transition is under way. */
const STATES: readonly LifecycleState[] = ['unknown', 'unconfigured', 'inactive', 'active', 'finalized'];
/** Ids of lifecycle_msgs/msg/Transition; shutting down has one for each state it starts from. */
const TRANSITIONS: Readonly<Record<Exclude<LifecycleTransition, 'shutdown'>, number>> = {
  configure: 1,
  cleanup: 2,
  activate: 3,
  deactivate: 4,
};
const SHUTDOWN_FROM: Readonly<Partial<Record<LifecycleState, number>>> = {
  unconfigured: 5,
  inactive: 6,
  active: 7,
};

/** Managed nodes through their standard services, whatever carries them. */
export class ServiceLifecycle implements RosLifecycle {
  readonly #services: RosServices;

  constructor(services: RosServices) {
    this.#services = services;
  }

  async state(node: string, options: CallOptions): Promise<LifecycleState> {
    const name = `${node}/get_state`;
    const answer = await this.#services.call(name, 'lifecycle_msgs/srv/GetState', {}, options);
    const { id } = answer['current_state'] as { id: number };
    return id >= 10 ? 'transitioning' : (STATES[id] ?? 'unknown');
  }

  async change(node: string, transition: LifecycleTransition, options: CallOptions): Promise<LifecycleState> {
    const id = transition === 'shutdown' ? await this.#shutdownId(node, options) : TRANSITIONS[transition];
    const name = `${node}/change_state`;
    const request = { transition: { id, label: transition } };
    const answer = await this.#services.call(name, 'lifecycle_msgs/srv/ChangeState', request, options);
    const state = await this.state(node, options);
    if (answer['success'] === true) return state;
    throw refused(node, transition, `the node did not ${transition}; it is ${state}`);
  }

  async #shutdownId(node: string, options: CallOptions): Promise<number> {
    const from = await this.state(node, options);
    const id = SHUTDOWN_FROM[from];
    if (id === undefined) throw refused(node, 'shutdown', `a node that is ${from} cannot be shut down`);
    return id;
  }
}

function refused(node: string, transition: LifecycleTransition, message: string): EdgeError {
  return new EdgeError('ros.refused', { operation: `lifecycle ${transition}`, subject: node, message });
}
