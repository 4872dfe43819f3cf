import { type AppliedAction, EdgeError, type NewEvent, type Sample } from '../../contract/core.ts';
import type { ControllerSpec } from '../../daemon/execution/controllers/controller-spec.ts';
import {
  ControllersDesk,
  type ControllersDeskDeps,
  type ControllersHandle,
} from '../../daemon/execution/controllers/controllers-desk.ts';
import { ControllersThread } from '../../daemon/execution/controllers/controllers-thread.ts';
import type { StepGate } from '../../daemon/execution/controllers/gate-port.ts';
import type { FromThread, ToThread } from '../../daemon/execution/controllers/messages.ts';
import { SharedState } from '../../daemon/execution/controllers/shared-state.ts';
import { CdrReader, encodeJointState } from '../../formats/cdr/index.ts';
import { controllerSpec } from '../fakes/controller-spec.ts';
import { FakePolicyDesk } from '../fakes/fake-policy-desk.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const open: StepGate = {
  reset() {},
  apply: (asked) => ({ applied: asked, verdict: 'passed', reason: '' }),
};

/** The gate of the moment; it has what that has. */
function gateOf(gate: () => StepGate): StepGate {
  return {
    reset: () => gate().reset(),
    apply: (...step) => gate().apply(...step),
    farOutside: (...action) => gate().farOutside?.(...action) ?? -1,
    get halt() {
      const own = gate();
      return own.halt && ((seconds: number) => own.halt!(seconds));
    },
    get atRest() {
      return gate().atRest ?? true;
    },
  };
}

/** Desk and thread in one, in virtual time: the thread takes a turn every millisecond. */
export class ControllersBench {
  readonly clock = new ManualClock();
  readonly policies = new FakePolicyDesk(this.clock);
  readonly sent: Sample[] = [];
  readonly actions: AppliedAction[] = [];
  readonly events: NewEvent[] = [];
  readonly desk: ControllersDesk;
  gate: StepGate = open;
  spawned = 0;
  connected = true;
  publishing = true;
  leaseHeld = false;
  forbidden = '';
  #ended: ((reason: string) => void)[] = [];
  #signal = new AbortController();

  constructor(
    specs: readonly ControllerSpec[] = [controllerSpec()],
    over: Partial<ControllersDeskDeps> = {},
  ) {
    const { clock } = this;
    let ids = 0;
    this.desk = new ControllersDesk({
      clock,
      nowMs: () => clock.monotonicMs(),
      specs,
      policies: this.policies,
      decode: () => Promise.reject(new Error('no pictures here')),
      spawn: (data) => this.#spawn(data.specs, data.shared),
      schedule: async () => 'other',
      advertise: async () => {},
      send: (sample) => this.connected && this.sent.push(sample) > 0,
      publish: (sample) => {
        this.actions.push(JSON.parse(new CdrReader(sample.bytes, sample.type).string()) as AppliedAction);
      },
      note: (event) => this.events.push(event),
      report: () => {},
      newId: () => `motion-${++ids}`,
      actuation: {
        move: async (_id, _from, start) => {
          if (this.leaseHeld)
            throw new EdgeError('lease.held', { operation: 'acquire-lease', subject: 'policy' });
          this.#signal = new AbortController();
          return start(this.#signal.signal, 7);
        },
      },
      ...over,
    });
    this.desk.start();
  }

  loseLease(reason: string): void {
    this.#signal.abort(reason);
  }

  killThread(reason: string): void {
    for (const ended of this.#ended) ended(reason);
  }

  async run(ms: number): Promise<void> {
    for (let i = 0; i < ms; i++) {
      if (this.publishing && i % 5 === 0)
        this.desk.observe(joints(this.clock.now(), undefined, undefined, [0, 0]));
      for (const turn of this.turns) turn();
      await this.clock.advance(1);
    }
  }

  readonly turns: (() => void)[] = [];

  #spawn(specs: readonly ControllerSpec[], memory: SharedArrayBuffer): ControllersHandle {
    this.spawned++;
    const inbox: ToThread[] = [];
    const outbox: FromThread[] = [];
    let listen: (message: FromThread) => void = () => {};
    const drain = () => {
      for (let message = outbox.shift(); message; message = outbox.shift()) listen(message);
    };
    const thread = new ControllersThread({
      specs,
      shared: new SharedState(memory, specs),
      makeGate: () => gateOf(() => this.gate),
      receive: () => inbox.shift(),
      post: (message) => outbox.push(structuredClone(message)),
      nowMs: () => this.clock.monotonicMs(),
      waitedMs: () => 0,
      forbidden: () => this.forbidden,
    });
    outbox.push({ kind: 'ready', tid: 42 });
    let alive = true;
    this.turns.push(() => {
      if (!alive) return;
      thread.turn();
      drain();
    });
    return {
      post: (message) => inbox.push(structuredClone(message)),
      onMessage: (hear) => {
        listen = hear;
      },
      drain,
      onExit: (ended) => this.#ended.push(ended),
      terminate: () => {
        alive = false;
      },
    };
  }
}

/** `velocity`: none where it is empty. */
export function joints(
  time: bigint,
  position: readonly number[] = [0.1, 0.2],
  stamp = time,
  velocity: readonly number[] = [],
): Sample {
  const values = Float64Array.from(position);
  const header = { stamp, frame_id: '' };
  const none = new Float64Array(0);
  const bytes = encodeJointState({
    header,
    name: ['a', 'b'],
    position: values,
    velocity: Float64Array.from(velocity),
    effort: none,
  });
  return { topic: '/joint_states', type: 'sensor_msgs/msg/JointState', stamp, received: time, bytes };
}
