import { type Clock, EdgeError, type MessageValue, type ParameterValue } from '../../contract/core.ts';
import { TWIST, TWIST_STAMPED } from '../../formats/cdr/index.ts';
import { decodeAny, encodeAny, type RosValue, schemaFor } from '../../formats/ros2/index.ts';
import { checkRosValue } from '../../formats/ros2/value-check.ts';
import type { ApiCaller } from './api-caller.ts';
import type { RobotView } from './attached-robot.ts';
import { mayCommand } from './may-command.ts';
import { Steering, type Velocity } from './steering.ts';

/** A parameter as the API shows it: 64-bit integers are text, bytes base64. */
export type ShownParameter = { readonly kind: ParameterValue['kind']; readonly value?: unknown };

export type RobotDoorParts = {
  readonly api: Pick<ApiCaller, 'get' | 'post'>;
  readonly robot: Pick<RobotView, 'topic' | 'publish'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Where the base takes velocities. */
  readonly command: { readonly topic: string; readonly type: string };
  /** True right after this process stood still: what is read then may be old. */
  isThawing?(): boolean;
};

/** What a session may ask of the robot; see `RobotDoor`. */
export type Door = Pick<
  RobotDoor,
  | 'publish'
  | 'publishValue'
  | 'call'
  | 'takeLease'
  | 'returnLease'
  | 'stop'
  | 'parameterNames'
  | 'parameters'
  | 'setParameters'
  | 'sendGoal'
  | 'viewGoal'
  | 'cancelGoal'
  | 'close'
>;

export type GoalView = {
  readonly goal_id: string;
  readonly state: string;
  readonly reason: string;
  readonly feedback_seq: number;
  readonly feedback: readonly { readonly seq: number; readonly value: MessageValue }[];
  readonly result?: MessageValue;
};

/** Names of parameters in one request. */
const NAMES_MAX = 32;
const VELOCITIES: ReadonlySet<string> = new Set([TWIST, TWIST_STAMPED]);

/**
 * Whatever one client wants of the robot besides looking. Velocities of the base, calls, goals and parameters are requests
 * to the API with the token of the client: the same rights, policies, lease and gates as everywhere. Other messages go to
 * the door of the execution cell, which lets only those pass that move nothing. Every method rejects with an EdgeError.
 */
export class RobotDoor {
  readonly #parts: RobotDoorParts;
  readonly #steering: Steering;
  /** Resolved: the client may command. */
  #permitted: Promise<void> | undefined;

  constructor(parts: RobotDoorParts) {
    this.#parts = parts;
    this.#steering = new Steering(parts.api, parts.clock);
  }

  /** A message as CDR. Throws `sample.malformed` where the bytes are not of the type. */
  async publish(topic: string, type: string, bytes: Uint8Array): Promise<void> {
    const { command, robot } = this.#parts;
    if (topic !== command.topic) {
      // Messages have no request of the API, and scans or transforms of a client mislead a robot.
      this.#permitted ??= mayCommand(this.#parts.api).catch((thrown) => {
        this.#permitted = undefined;
        throw thrown;
      });
      await this.#permitted;
      return await robot.publish(topic, type, bytes);
    }
    if (!VELOCITIES.has(type)) throw refused(topic, `it takes ${command.type}, not ${type}`);
    this.#checkFresh('publish', topic);
    await this.#steering.steer(velocityOf(topic, decodeAny(type, bytes)));
  }

  /** The same as plain values by field name. */
  async publishValue(topic: string, type: string, value: MessageValue): Promise<void> {
    checkRosValue(value, '/msg');
    const definition = schemaFor(type) ? undefined : this.#schemaOf(topic, type);
    await this.publish(topic, type, encodeAny(type, value as RosValue, definition));
  }

  async call(service: string, type: string, request: MessageValue, timeoutMs: number): Promise<MessageValue> {
    this.#checkFresh('call', service);
    const body = { service, type, request, timeout_ms: timeoutMs };
    const { response } = await this.#parts.api.post<{ response: MessageValue }>(
      '/v1/ros/services/call',
      body,
      timeoutMs + 1_000,
    );
    return response;
  }

  takeLease(): Promise<void> {
    return this.#steering.take();
  }

  returnLease(): Promise<void> {
    return this.#steering.release();
  }

  /** The emergency stop. */
  async stop(reason: string): Promise<void> {
    await this.#parts.api.post('/v1/estop', { reason });
  }

  async parameterNames(node: string): Promise<readonly string[]> {
    const query = `?node=${encodeURIComponent(node)}`;
    const { names } = await this.#parts.api.get<{ names: readonly string[] }>(`/v1/ros/params${query}`);
    return names;
  }

  async parameters(
    node: string,
    names: readonly string[],
  ): Promise<Readonly<Record<string, ShownParameter>>> {
    const found: Record<string, ShownParameter> = {};
    for (let from = 0; from < names.length; from += NAMES_MAX) {
      const asked = names.slice(from, from + NAMES_MAX).map((name) => `&name=${encodeURIComponent(name)}`);
      const path = `/v1/ros/params?node=${encodeURIComponent(node)}${asked.join('')}`;
      Object.assign(
        found,
        (await this.#parts.api.get<{ values: Record<string, ShownParameter> }>(path)).values,
      );
    }
    return found;
  }

  /** Why the node refused values, by name. */
  async setParameters(
    node: string,
    values: Readonly<Record<string, ShownParameter>>,
  ): Promise<Readonly<Record<string, string>>> {
    const { refused: why } = await this.#parts.api.post<{ refused: Record<string, string> }>(
      '/v1/ros/params',
      { node, values },
    );
    return why;
  }

  async sendGoal(action: string, type: string, goal: MessageValue): Promise<GoalView> {
    this.#checkFresh('send a goal', action);
    return await this.#parts.api.post<GoalView>('/v1/ros/actions/goals', { action, type, goal });
  }

  viewGoal(id: string, after: number): Promise<GoalView> {
    return this.#parts.api.get<GoalView>(`/v1/ros/actions/goals/${encodeURIComponent(id)}?after=${after}`);
  }

  async cancelGoal(id: string): Promise<boolean> {
    const path = `/v1/ros/actions/goals/${encodeURIComponent(id)}/cancel`;
    return (await this.#parts.api.post<{ cancelled: boolean }>(path, {})).cancelled;
  }

  /** The client is gone. Never rejects. */
  async close(): Promise<void> {
    await this.#steering.close().catch(() => {});
  }

  /** Orders carry no time: what lay in a socket while this process stood still looks like a new one. */
  #checkFresh(operation: string, subject: string): void {
    if (this.#parts.isThawing?.() !== true) return;
    throw new EdgeError('command.expired', {
      operation,
      subject,
      message: 'this process stood still a moment ago, and the command may be old',
      hint: 'send it again if it is still wanted',
    });
  }

  #schemaOf(topic: string, type: string): string | undefined {
    const offered = this.#parts.robot.topic(topic);
    return offered?.type === type ? offered.schema : undefined;
  }
}

/** A base drives forward and turns. Throws where another axis is asked for: leaving it out would be another motion. */
function velocityOf(topic: string, message: RosValue): Velocity {
  const twist = (message['twist'] ?? message) as { linear: Axes; angular: Axes };
  const { linear, angular } = twist;
  const all = [linear.x, linear.y, linear.z, angular.x, angular.y, angular.z];
  if (!all.every(Number.isFinite)) throw refused(topic, 'a velocity is not finite');
  const [, y, z, roll, pitch] = all;
  if ([y, z, roll, pitch].some((speed) => speed !== 0))
    throw refused(topic, 'the base takes linear.x and angular.z only');
  return { linear: linear.x, angular: angular.z };
}

type Axes = { readonly x: number; readonly y: number; readonly z: number };

function refused(topic: string, message: string): EdgeError {
  return new EdgeError('command.refused', {
    operation: 'publish',
    subject: topic,
    message: `${topic}: ${message}`,
  });
}
