import {
  type CallOptions,
  EdgeError,
  type LifecycleState,
  type LifecycleTransition,
  type RosLifecycle,
  type RosServices,
} from '../../contract/core.ts';

/** By the numbers of lifecycle_msgs/msg/State. */
const PRIMARY: readonly LifecycleState[] = ['unknown', 'unconfigured', 'inactive', 'active', 'finalized'];
const TRANSITION_STATE_FIRST = 10;
/** By those of lifecycle_msgs/msg/Transition; a shutdown has one for each state it starts from. */
const TRANSITIONS = { configure: 1, cleanup: 2, activate: 3, deactivate: 4 } as const;
const SHUTDOWN_FROM: Readonly<Partial<Record<LifecycleState, number>>> = {
  unconfigured: 5,
  inactive: 6,
  active: 7,
};

export function lifecycleState(id: number): LifecycleState {
  return id >= TRANSITION_STATE_FIRST ? 'transitioning' : (PRIMARY[id] ?? 'unknown');
}

/** Managed nodes through the services that each of them has. */
export class ServiceLifecycle implements RosLifecycle {
  readonly #services: RosServices;

  constructor(services: RosServices) {
    this.#services = services;
  }

  async state(node: string, options: CallOptions): Promise<LifecycleState> {
    const answer = await this.#services.call(`${node}/get_state`, 'lifecycle_msgs/srv/GetState', {}, options);
    return lifecycleState((answer['current_state'] as { id: number }).id);
  }

  async change(node: string, transition: LifecycleTransition, options: CallOptions): Promise<LifecycleState> {
    const from = transition === 'shutdown' ? await this.state(node, options) : 'unknown';
    const id = transition === 'shutdown' ? SHUTDOWN_FROM[from] : TRANSITIONS[transition];
    if (id === undefined) throw refused(node, transition, `it is ${from}`);
    const request = { transition: { id, label: transition } };
    const answer = await this.#services.call(
      `${node}/change_state`,
      'lifecycle_msgs/srv/ChangeState',
      request,
      options,
    );
    const reached = await this.state(node, options);
    if (answer['success'] !== true) throw refused(node, transition, `it is ${reached}`);
    return reached;
  }
}

function refused(node: string, transition: string, message: string): EdgeError {
  return new EdgeError('ros.refused', { operation: `lifecycle ${transition}`, subject: node, message });
}
