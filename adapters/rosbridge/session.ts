import { type Clock, EdgeError, type GraphSnapshot, LIMITS, type Sample } from '../../contract/core.ts';
import type { RobotView } from '../../io/attached/attached-robot.ts';
import { callOwnService, OWN_SERVICES } from '../../io/attached/own-services.ts';
import { Reports } from '../../io/attached/reports.ts';
import type { Door } from '../../io/attached/robot-door.ts';
import type { SendQueue } from '../../io/attached/send-queue.ts';
import {
  type ClientMessage,
  countOf,
  nameOf,
  objectOf,
  readMessage,
  timeoutOf,
  typeOf,
} from './client-message.ts';
import { Goals } from './goals.ts';
import { cborMessage, type MessageTexts, rawMessage } from './message-json.ts';
import { callRosapi } from './rosapi.ts';

export type SessionParts = {
  readonly clock: Clock;
  readonly robot: RobotView;
  /** Undefined: this client may only look. */
  readonly door: Door | undefined;
  readonly queue: Pick<SendQueue, 'answer' | 'sample' | 'forget' | 'hasAnswers'>;
  readonly texts: MessageTexts;
  readonly hasRos: boolean;
  hangUp(code: number, reason: string): void;
};

const LEVELS = { info: 'info', warning: 'warning', error: 'error' } as const;
const COMPRESSIONS: readonly unknown[] = ['none', 'cbor', 'cbor-raw', undefined, null];
/** Messages of one client that wait for the door. */
const WAITING_MAX = 64;
/** Ops of clients that offer something themselves. */
const OFFERS: ReadonlySet<string> = new Set(['advertise_service', 'advertise_action']);

type Subscription = {
  readonly topic: string;
  readonly compression: unknown;
  readonly throttleMs: number;
  readonly queueLength: number;
  sentMs: number;
  end: () => void;
};

/** One client of rosbridge v2. No I/O: messages come in, and answers and samples go to the queue of the client. */
export class RosbridgeSession {
  readonly #parts: SessionParts;
  readonly #reports: Reports;
  readonly #goals: Goals;
  /** By the id of the subscription, else by its topic. */
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #types = new Map<string, string>();
  readonly #ends: (() => void)[] = [];
  #graph: GraphSnapshot | undefined;
  #faults = 0;
  #waiting = 0;
  #calls = 0;
  #closed = false;

  constructor(parts: SessionParts) {
    const { clock, queue, robot, hasRos } = parts;
    this.#parts = parts;
    this.#reports = new Reports({
      clock,
      isBlocked: () => queue.hasAnswers,
      send: (level, msg) => this.#json({ op: 'status', level: LEVELS[level], msg }),
    });
    this.#goals = new Goals({ clock, send: (message) => this.#json(message) });
    this.#ends.push(robot.onMissed((topic, count) => this.#follows(topic) && this.lost(topic, count)));
    if (hasRos) this.#ends.push(robot.onGraph((graph) => (this.#graph = graph)));
  }

  receive(text: string): void {
    const message = readMessage(text);
    const fault = typeof message === 'string' ? message : this.#take(message);
    if (fault === undefined) return;
    this.#faults += 1;
    if (this.#faults > LIMITS.ATTACH_FAULTS_MAX) this.#parts.hangUp(1008, 'too many faulty messages');
    else this.#reports.say('error', 'message', fault);
  }

  lost(topic: string, count: number): void {
    this.#reports.lost(topic, count);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { end } of this.#subscriptions.values()) end();
    this.#subscriptions.clear();
    for (const end of this.#ends) end();
    this.#reports.close();
    this.#goals.close(this.#parts.door);
    void this.#parts.door?.close();
  }

  /** What is wrong with the message. */
  #take(message: ClientMessage): string | undefined {
    const { op } = message;
    if (op === 'subscribe') return this.#subscribe(message);
    if (op === 'unsubscribe') return this.#unsubscribe(message);
    if (op === 'set_level' || op === 'status' || op === 'auth') return undefined;
    if (OFFERS.has(op)) return `${op}: this server does not take services or actions of clients`;
    if (op === 'advertise') return this.#advertise(message);
    if (op === 'unadvertise') {
      this.#types.delete(nameOf(message['topic']) ?? '');
      return undefined;
    }
    if (op === 'publish') return this.#publish(message);
    if (op === 'call_service') return void this.#call(message);
    if (op === 'send_action_goal') return this.#sendGoal(message);
    if (op === 'cancel_action_goal') {
      const { door } = this.#parts;
      if (door) this.#goals.cancel(door, message.id ?? '').catch((thrown) => this.#refused('goal', thrown));
      return undefined;
    }
    return `unknown op ${op}`;
  }

  #subscribe(message: ClientMessage): string | undefined {
    const topic = nameOf(message['topic']);
    if (topic === undefined) return 'subscribe: expected a topic';
    const { compression } = message;
    if (!COMPRESSIONS.includes(compression))
      this.#reports.say(
        'warning',
        topic,
        `${topic}: compression ${String(compression).slice(0, 40)} is not offered; it is sent without`,
      );
    const key = message.id ?? topic;
    this.#end(key);
    if (this.#subscriptions.size >= LIMITS.ATTACH_SUBSCRIPTIONS_MAX)
      return `a client has at most ${LIMITS.ATTACH_SUBSCRIPTIONS_MAX} subscriptions`;
    const subscription: Subscription = {
      ...{ topic, compression, throttleMs: countOf(message['throttle_rate']) },
      ...{ queueLength: countOf(message['queue_length']), sentMs: -Infinity, end: () => {} },
    };
    this.#subscriptions.set(key, subscription);
    subscription.end = this.#parts.robot.follow(topic, (sample) => this.#send(subscription, sample));
    return undefined;
  }

  #unsubscribe(message: ClientMessage): string | undefined {
    const topic = nameOf(message['topic']);
    if (message.id !== undefined && this.#end(message.id)) return undefined;
    for (const [key, one] of this.#subscriptions) if (one.topic === topic) this.#end(key);
    return undefined;
  }

  #end(key: string): boolean {
    const found = this.#subscriptions.get(key);
    if (!found) return false;
    found.end();
    this.#subscriptions.delete(key);
    if (!this.#follows(found.topic)) this.#parts.queue.forget(found.topic);
    return true;
  }

  #follows(topic: string): boolean {
    return [...this.#subscriptions.values()].some((one) => one.topic === topic);
  }

  #send(subscription: Subscription, sample: Sample): void {
    const { clock, queue, robot, texts } = this.#parts;
    const { topic, compression, throttleMs, queueLength } = subscription;
    const nowMs = clock.monotonicMs();
    if (nowMs - subscription.sentMs < throttleMs) return;
    subscription.sentMs = nowMs;
    const schema = robot.topic(topic)?.schema ?? '';
    try {
      const head =
        compression === 'cbor'
          ? cborMessage(topic, sample, schema)
          : compression === 'cbor-raw'
            ? rawMessage(topic, sample)
            : `{"op":"publish","topic":${JSON.stringify(topic)},"msg":${texts.of(sample, schema)}}`;
      queue.sample(topic, { head }, queueLength > 0 ? queueLength : undefined);
    } catch (thrown) {
      const { message } = EdgeError.from(thrown, 'sample.malformed', 'decode', topic);
      this.#reports.say('error', topic, `${topic}: ${message}`);
    }
  }

  #advertise(message: ClientMessage): string | undefined {
    const topic = nameOf(message['topic']);
    const type = typeOf(message['type'], 'msg');
    if (topic === undefined || type === undefined) return 'advertise: expected a topic and a type';
    if (this.#types.size >= LIMITS.ATTACH_CHANNELS_MAX && !this.#types.has(topic))
      return `a client advertises at most ${LIMITS.ATTACH_CHANNELS_MAX} topics`;
    this.#types.set(topic, type);
    return undefined;
  }

  #publish(message: ClientMessage): string | undefined {
    const { door, robot } = this.#parts;
    const topic = nameOf(message['topic']);
    // JSON writes what is not a number as null: that is no message of zeros.
    const value = message['msg'] === null ? undefined : objectOf(message['msg']);
    if (topic === undefined || value === undefined) return 'publish: expected a topic and a msg';
    if (!door) return 'this client may only look: connect with a token to publish';
    const type = typeOf(message['type'], 'msg') ?? this.#types.get(topic) ?? robot.topic(topic)?.type;
    if (type === undefined) return `${topic}: advertise it with its type first`;
    if (this.#waiting >= WAITING_MAX) {
      this.#reports.say('warning', topic, `${topic}: messages come faster than the robot takes them`);
      return undefined;
    }
    this.#waiting += 1;
    door
      .publishValue(topic, type, value)
      .catch((thrown: unknown) => this.#refused(topic, thrown))
      .finally(() => {
        this.#waiting -= 1;
      });
    return undefined;
  }

  async #call(message: ClientMessage): Promise<void> {
    const service = nameOf(message['service']) ?? '/';
    const answer = (values: unknown, result: boolean) =>
      this.#json({
        op: 'service_response',
        ...(message.id === undefined ? {} : { id: message.id }),
        service,
        values,
        result,
      });
    this.#calls += 1;
    try {
      answer(await this.#answerOf(service, message), true);
    } catch (thrown) {
      const { message: words, hint } = EdgeError.from(thrown, 'schema.invalid', 'call', service);
      answer(hint === '' ? words : `${words}; ${hint}`, false);
    } finally {
      this.#calls -= 1;
    }
  }

  async #answerOf(service: string, message: ClientMessage): Promise<unknown> {
    const { door, robot, clock } = this.#parts;
    const args = objectOf(message['args']);
    // A stop waits for no other call, and no arguments refuse it.
    if (door && service === OWN_SERVICES.stop) return await callOwnService(service, door);
    if (args === undefined) throw refused(service, 'args: expected fields by name');
    if (this.#calls > LIMITS.ATTACH_CALLS_MAX) throw refused(service, 'too many calls at a time');
    // What rosapi shows, a client that may only look sees as well.
    const shown = await callRosapi(service, args, { robot, door, clock, graph: this.#graph });
    if (shown) return shown;
    if (!door) throw refused(service, 'this client may only look: connect with a token to call services');
    const own = await callOwnService(service, door);
    if (own) return own;
    const known = this.#graph?.services.find(({ name }) => name === service)?.types[0];
    const type = known ?? typeOf(message['type'], 'srv');
    if (type === undefined) throw refused(service, `${service} is not offered`);
    return await door.call(service, type, args, timeoutOf(message['timeout']));
  }

  #sendGoal(message: ClientMessage): string | undefined {
    const { door } = this.#parts;
    const { id } = message;
    const action = nameOf(message['action']);
    const type = typeOf(message['action_type'], 'action');
    const args = objectOf(message['args']);
    if (id === undefined || action === undefined || type === undefined || args === undefined)
      return 'send_action_goal: expected id, action, action_type and args';
    if (!door) return 'this client may only look: connect with a token to send goals';
    void this.#goals.send(door, { id, action, type, args, feedback: message['feedback'] === true });
    return undefined;
  }

  #refused(topic: string, thrown: unknown): void {
    const { code, message, hint } = EdgeError.from(thrown, 'schema.invalid', 'publish', topic);
    this.#reports.say('error', topic, `${topic}: ${message} (${code})${hint === '' ? '' : `; ${hint}`}`);
  }

  #json(message: object): void {
    if (!this.#closed) this.#parts.queue.answer({ head: JSON.stringify(message) });
  }
}

function refused(subject: string, message: string): EdgeError {
  return new EdgeError('command.refused', { operation: 'call', subject, message });
}
