import {
  type Clock,
  EdgeError,
  hasExpired,
  type NewEvent,
  type Sample,
  type SampleSink,
  type TopicSpec,
} from '../../../contract/core.ts';
import type { ActuationLease } from '../lease.ts';
import { roleOf } from '../lease.ts';
import { GateReceipts } from '../safety/gate-receipts.ts';
import type { StopLatch } from '../safety/stop-latch.ts';
import type { Asker, Command, CommandTerms, Executed, Receipt, RefusedBy } from './command.ts';
import type { DoorGate } from './door-gate.ts';
import { RefusalLog } from './refusal-log.ts';
import { areZeros, isStanding } from './standing.ts';
import type { TopicClasses } from './topic-classes.ts';

export type DoorParts = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly latch: Pick<StopLatch, 'engaged'>;
  /** Undefined before this cell has started, when no lease is held. */
  lease(): Pick<ActuationLease, 'current'> | undefined;
  readonly topics: TopicClasses;
  readonly gate: DoorGate;
  /** Topics that carry velocities of joints. Zeros on them mean standing still. */
  readonly speeds?: readonly string[] | undefined;
  note(event: NewEvent): void;
  /** Called for each command that was sent to the robot, in order. It must not throw. */
  executed?(command: Executed): void;
};

/** The way of one sender to one robot. */
export type DoorPath = {
  /** Rejects with `command.refused` for commands that this sender may never send. */
  advertise(topic: TopicSpec): Promise<void>;
  /** This sender is done with a topic that it advertised. It goes when every sender is. */
  withdraw(topic: string): Promise<void>;
  /** Why no sample of this topic may pass. Undefined: each sample is judged separately. */
  refusal(topic: Pick<TopicSpec, 'topic' | 'type'>): EdgeError | undefined;
  send(sample: Sample, terms?: CommandTerms): Receipt;
  /**
   * The same for callers that only need to know whether the sample was taken. Samples that the emergency stop withholds
   * count as taken.
   */
  offer(sample: Sample): boolean;
  /** Closes the sink of this path. */
  close(): Promise<void>;
};

/** Only this file has this symbol, so nothing else can make a permit. */
const MAKER: unique symbol = Symbol('door');

/** Proves that the door let a sample pass to the robot. */
export class Permit {
  readonly #sample: Sample;

  constructor(maker: typeof MAKER, sample: Sample) {
    if (maker !== MAKER) throw new TypeError('only the door can create permits');
    this.#sample = sample;
  }

  get sample(): Sample {
    return this.#sample;
  }
}

/** The middleware of a robot as the cell uses it: it accepts only permits. */
export class RobotSink {
  readonly #sink: SampleSink;
  /** How often each topic was advertised: several senders may have the same. */
  readonly #senders = new Map<string, number>();

  constructor(sink: SampleSink) {
    this.#sink = sink;
  }

  async advertise({ topic, ...spec }: TopicSpec): Promise<void> {
    this.#senders.set(topic, (this.#senders.get(topic) ?? 0) + 1);
    try {
      await this.#sink.advertise({ topic, ...spec });
    } catch (thrown) {
      this.#leave(topic);
      throw thrown;
    }
  }

  async withdraw(topic: string): Promise<void> {
    if (this.#leave(topic) === 0) await this.#sink.withdraw?.(topic);
  }

  /** Gives how many are left. */
  #leave(topic: string): number {
    const left = Math.max(0, (this.#senders.get(topic) ?? 0) - 1);
    if (left > 0) this.#senders.set(topic, left);
    else this.#senders.delete(topic);
    return left;
  }

  offer(permit: Permit): boolean {
    if (!(permit instanceof Permit))
      throw new TypeError('a robot accepts only permits that the door created');
    return this.#sink.offer(permit.sample);
  }

  close(): Promise<void> {
    return this.#sink.close();
  }
}

const GATE_PERIOD_MS = 1_000;

/**
 * Everything that is sent to a robot's middleware passes this door. The checks, in this order: whether it is a command
 * at all, the emergency stop, its time, the lease, the gate. Then it gets a permit and a receipt. The policies of the
 * runtime cell are asked before, once for each motion, where the motion is requested.
 */
export class Door {
  readonly topics: TopicClasses;
  readonly gate: DoorGate;
  readonly #parts: DoorParts;
  readonly #speeds: ReadonlySet<string>;
  readonly #refusals: RefusalLog;
  readonly #limits: GateReceipts;
  #withheld = 0;

  constructor(parts: DoorParts) {
    const { clock, topics, gate, speeds = [] } = parts;
    this.#parts = parts;
    this.topics = topics;
    this.gate = gate;
    this.#speeds = new Set(speeds);
    const note = (event: NewEvent) => parts.note(event);
    this.#refusals = new RefusalLog(clock, note);
    this.#limits = new GateReceipts({ clock, source: 'door', periodMs: GATE_PERIOD_MS, note });
  }

  /** Number of commands that the emergency stop withheld since the start. */
  get withheld(): number {
    return this.#withheld;
  }

  /** `terms` count for every sample of this path that brings no terms of its own. */
  path(sink: RobotSink, asker: Asker, terms: CommandTerms = {}): DoorPath {
    const send = (sample: Sample, more?: CommandTerms) =>
      this.#ask(sink, { ...terms, ...more, sample, asker });
    const refusal = (topic: Pick<TopicSpec, 'topic' | 'type'>) => this.#never(topic, asker, terms);
    return {
      refusal,
      send,
      advertise: async (topic) => {
        const error = refusal(topic);
        if (error) throw error;
        await sink.advertise(topic);
      },
      withdraw: (topic) => sink.withdraw(topic),
      offer: (sample) => {
        const receipt = send(sample);
        return receipt.verdict === 'refused' ? receipt.by === 'stop' : receipt.verdict !== 'busy';
      },
      close: () => sink.close(),
    };
  }

  /**
   * The same for a value at a Zenoh key; undefined where it may pass. Values at a key have no lease, so a command never
   * passes. A value at a key that no robot subscribes to always passes.
   */
  refusesKey(key: string, sample: Sample, asker: Asker): EdgeError | undefined {
    const found = this.topics.classifyKey(key, sample.type);
    if (found === undefined || found === 'harmless') return undefined;
    const spec = { topic: key, type: sample.type };
    const error =
      found === 'unknown'
        ? unknown(spec)
        : refused(
            spec,
            `${sample.type} at ${key} may move a robot, and values at a key have no actuation lease`,
            `send an intent, or, if the key only reports, set robot.harmless = ["/${key}"]; see docs/routes.md`,
          );
    this.#refusals.add(nameOf(asker), found === 'unknown' ? 'class' : 'lease', error);
    return error;
  }

  #ask(sink: RobotSink, command: Command): Receipt {
    const { sample, asker } = command;
    const found = this.topics.classify(sample);
    if (found === 'harmless') return this.#hand(sink, sample);
    if (found === 'unknown') return this.#refuse(command, 'class', unknown(sample));
    const lost = this.#leaseFault(command);
    const stands = isStanding(sample) || (this.#speeds.has(sample.topic) && areZeros(sample));
    // The loops of this daemon may stop the robot at any time. Zeros of another sender would disturb a person who
    // drives.
    if (stands && (isOurs(asker) || !lost)) return this.#execute(sink, command);
    if (this.#parts.latch.engaged) {
      this.#withheld++;
      return { verdict: 'refused', by: 'stop', error: engaged(sample) };
    }
    const nowMs = this.#parts.clock.monotonicMs();
    if (hasExpired(sample.expiresAtMs, nowMs))
      return this.#refuse(command, 'expiry', expired(sample, nowMs - sample.expiresAtMs!));
    if (lost) return this.#refuse(command, 'lease', lost);
    return this.#judge(sink, command);
  }

  #judge(sink: RobotSink, command: Command): Receipt {
    const { sample, asker } = command;
    const answer = this.gate.judge(sample, isOurs(asker));
    if (answer.verdict === 'refused') {
      const { reason, hint = '' } = answer;
      return this.#refuse(command, 'gate', refused(sample, reason, hint));
    }
    if (answer.verdict === 'passed') return this.#execute(sink, command);
    const { asked, applied, reason } = answer;
    const handed = this.#execute(sink, { ...command, sample: answer.sample }, { asked, reason });
    if (handed.verdict !== 'sent') return handed;
    const verdict = { verdict: 'limited', reason, applied: Float64Array.from(applied), joint: -1 } as const;
    this.#limits.add(asked, verdict);
    return answer;
  }

  /** Only a command that the robot took is reported as executed. Harmless samples are not. */
  #execute(sink: RobotSink, { sample, asker, lease, origin }: Command, gated?: Executed['gated']): Receipt {
    const receipt = this.#hand(sink, sample);
    if (receipt.verdict === 'sent')
      this.#parts.executed?.({ sample, asker, lease, origin, ...(gated ? { gated } : {}) });
    return receipt;
  }

  /** Sends the sample with a permit. Permits are made only here. */
  #hand(sink: RobotSink, sample: Sample): Receipt {
    if (!sink.offer(new Permit(MAKER, sample))) return { verdict: 'busy' };
    this.gate.sent(sample);
    return { verdict: 'sent', sample };
  }

  #refuse({ asker }: Command, by: RefusedBy, error: EdgeError): Receipt {
    this.#refusals.add(nameOf(asker), by, error);
    return { verdict: 'refused', by, error };
  }

  /**
   * A sender that forwards commands of others needs the lease that is held now. The loops of this daemon check their
   * lease in each step, and have to bring the robot to rest after they lost it. For them only the role is checked.
   */
  #leaseFault({ asker, lease, sample }: Command): EdgeError | undefined {
    const current = this.#parts.lease()?.current;
    if (!isOurs(asker)) {
      if (lease !== undefined && current?.id === lease) return undefined;
      return current ? taken(sample, current.holder) : leaseless(sample, asker);
    }
    // Braking is never refused, no matter who has the lease. A command of the base brakes if it slows the base.
    if (asker.kind === 'drive' && this.gate.slows(sample)) return undefined;
    // No lease is held: the other loops bring the robot to rest.
    if (!current) return asker.kind === 'drive' ? leaseless(sample, asker) : undefined;
    const role = roleOf(current.priority);
    const theirs =
      asker.kind === 'controller'
        ? role === 'policy'
        : asker.kind === 'teleoperation'
          ? role === 'teleoperation' || role === 'central' || role === 'autonomy'
          : role !== 'policy';
    return theirs ? undefined : taken(sample, current.holder);
  }

  #never(topic: Pick<TopicSpec, 'topic' | 'type'>, asker: Asker, terms: CommandTerms): EdgeError | undefined {
    if (isOurs(asker)) return undefined;
    const found = this.topics.classify(topic);
    if (found === 'harmless') return undefined;
    if (found === 'unknown') return unknown(topic);
    if (terms.lease === undefined) return leaseless(topic, asker);
    return this.gate.judges(topic.type) ? undefined : refused(topic, `no gate can check ${topic.type}`, '');
  }
}

function isOurs({ kind }: Asker): boolean {
  return kind !== 'route' && kind !== 'play';
}

function nameOf({ kind, name }: Asker): string {
  return name === '' ? kind : `${kind}/${name}`.slice(0, 128);
}

type Subject = Pick<TopicSpec, 'topic' | 'type'>;

function unknown({ topic, type }: Subject): EdgeError {
  return refused(
    { topic, type },
    `${type} on ${topic} might move the robot: it is not listed as harmless`,
    `if it cannot move the robot, set robot.harmless = ["${topic}"]; see docs/routes.md`,
  );
}

function leaseless({ topic, type }: Subject, { kind }: Asker): EdgeError {
  return refused(
    { topic, type },
    `${type} on ${topic} moves the robot, and this ${kind} holds no actuation lease`,
    kind === 'route' ? 'send an intent, or request the motion through the API; see docs/routes.md' : '',
  );
}

function taken({ topic, type }: Subject, holder: string): EdgeError {
  return refused(
    { topic, type },
    `${type} on ${topic} moves the robot, and ${holder} holds the actuation lease`,
    '',
  );
}

function expired({ topic }: Subject, lateMs: number): EdgeError {
  const message = `the command expired ${Math.ceil(lateMs)} ms ago`;
  return new EdgeError('command.expired', { operation: 'command', subject: topic, message });
}

function engaged({ topic }: Subject): EdgeError {
  return new EdgeError('estop.engaged', { operation: 'command', subject: topic });
}

function refused({ topic }: Subject, message: string, hint: string): EdgeError {
  return new EdgeError('command.refused', { operation: 'command', subject: topic, message, hint });
}
