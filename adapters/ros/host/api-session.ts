import type { Clock, GraphSnapshot, Timer } from '../../../contract/index.ts';
import type { ApiCall, ApiNews, ApiRequest, ApiWord } from '../api-wire.ts';
import { ActionDesk } from './action-desk.ts';
import { ActionServers } from './action-servers.ts';
import { HostFault, messageOf } from './fault.ts';
import { graphSnapshot } from './graph-view.ts';
import { ServiceDesk } from './service-desk.ts';
import type { Rclnodejs, Node as RosNode } from './vendor.ts';

/** How often a watched graph is compared with the last report, milliseconds. The port allows ten times a second. */
const GRAPH_LOOK_MS = 200;
/** Calls of the adapter that are open at once; above it a call is refused. */
const CALLS_OPEN_MAX = 1024;

/** Services, actions and graph of one node, as its adapter asks for them. */
export class ApiSession {
  readonly #rcl: Rclnodejs;
  readonly #node: RosNode;
  readonly #clock: Clock;
  readonly #tell: (news: ApiNews) => void;
  readonly #fault: (operation: string, error: unknown) => void;
  readonly #services: ServiceDesk;
  readonly #actions: ActionDesk;
  readonly #actionServers: ActionServers;
  readonly #open = new Map<number, AbortController>();
  #watch: Timer | undefined;
  #told = '';

  constructor(
    rcl: Rclnodejs,
    node: RosNode,
    clock: Clock,
    tell: (news: ApiNews) => void,
    fault: (operation: string, error: unknown) => void,
  ) {
    this.#rcl = rcl;
    this.#node = node;
    this.#clock = clock;
    this.#tell = tell;
    this.#fault = fault;
    this.#services = new ServiceDesk(rcl, node, clock, tell);
    this.#actions = new ActionDesk(rcl, node, clock, tell);
    this.#actionServers = new ActionServers(rcl, node, tell);
  }

  /** Answers every request, also with an error. */
  request({ id, call }: ApiRequest): void {
    if (this.#open.size >= CALLS_OPEN_MAX) {
      const fault = new HostFault('ros.failed', call.op, 'ROS host', `${CALLS_OPEN_MAX} calls are open`);
      this.#tell({ op: 'error', id, error: fault.body });
      return;
    }
    const abort = new AbortController();
    this.#open.set(id, abort);
    this.#perform(call, abort.signal)
      .then((value) => this.#tell({ op: 'reply', id, value }))
      .catch((error: unknown) =>
        this.#tell({ op: 'error', id, error: HostFault.from(error, call.op, subjectOf(call)).body }),
      )
      .finally(() => this.#open.delete(id));
  }

  word(word: ApiWord): void {
    try {
      this.#obey(word);
    } catch (error) {
      this.#fault(word.op, error);
      // A client that waits for our service or goal gets an end.
      if (word.op === 'finish')
        this.#actionServers.finish(word.server, word.goalId, { status: 'aborted', result: {} });
      if (word.op === 'answer') this.#services.answer(word.server, word.request, undefined);
    }
  }

  close(): void {
    this.#watch?.cancel();
  }

  async #perform(call: ApiCall, signal: AbortSignal): Promise<unknown> {
    switch (call.op) {
      case 'call':
        return this.#services.call(call.name, call.type, call.request, call.timeoutMs, signal);
      case 'serve':
        return this.#services.serve(call.server, call.name, call.type);
      case 'serveAction':
        return this.#actionServers.serve(call.server, call.name, call.type);
      case 'unserve':
        return void (this.#services.unserve(call.server) || this.#actionServers.unserve(call.server));
      case 'sendGoal':
        return this.#actions.send(call.goalId, call.name, call.type, call.goal, call.timeoutMs, signal);
      case 'graph':
        return graphSnapshot(this.#rcl, this.#node);
    }
  }

  #obey(word: ApiWord): void {
    switch (word.op) {
      case 'abort':
        this.#open.get(word.id)?.abort();
        return;
      case 'answer':
        this.#services.answer(word.server, word.request, word.value);
        return;
      case 'accept':
        this.#actionServers.accept(word.server, word.goalId, word.accepted);
        return;
      case 'feedback':
        this.#actionServers.feedback(word.server, word.goalId, word.value);
        return;
      case 'finish':
        this.#actionServers.finish(word.server, word.goalId, word.result);
        return;
      case 'watch':
        this.#watchGraph(word.on);
        return;
    }
  }

  #watchGraph(on: boolean): void {
    this.#watch?.cancel();
    this.#watch = undefined;
    this.#told = '';
    if (!on) return;
    this.#watch = this.#clock.every(GRAPH_LOOK_MS, () => this.#look());
    this.#look();
  }

  #look(): void {
    let graph: GraphSnapshot;
    try {
      graph = graphSnapshot(this.#rcl, this.#node);
    } catch (error) {
      // A topic may disappear during the read; the next look is right.
      this.#fault('read the graph', messageOf(error));
      return;
    }
    const text = JSON.stringify(graph);
    if (text === this.#told) return;
    this.#told = text;
    this.#tell({ op: 'graph', graph });
  }
}

function subjectOf(call: ApiCall): string {
  return 'name' in call ? call.name : 'ROS host';
}
