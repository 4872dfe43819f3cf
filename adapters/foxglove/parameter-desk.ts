import { type Clock, type GraphSnapshot, LIMITS, type Timer } from '../../contract/core.ts';
import type { RobotView } from '../../io/attached/attached-robot.ts';
import { readParameters, writeParameters } from '../../io/attached/parameters.ts';
import type { Reports } from '../../io/attached/reports.ts';
import type { Door } from '../../io/attached/robot-door.ts';
import type { ClientMessage } from './client-message.ts';

export type ParameterDeskParts = {
  readonly clock: Clock;
  readonly robot: Pick<RobotView, 'onGraph'>;
  readonly say: Reports['say'];
  send(message: object): void;
};
type ParameterMessage = Extract<
  ClientMessage,
  {
    op: 'getParameters' | 'setParameters' | 'subscribeParameterUpdates' | 'unsubscribeParameterUpdates';
  }
>;

/** Requests of one client that wait for nodes. */
const REQUESTS_MAX = 4;

/** Parameters for one client: read, set, and followed. ROS has no one place that reports changes, so they are read again. */
export class ParameterDesk {
  graph: GraphSnapshot | undefined;
  readonly #parts: ParameterDeskParts;
  readonly #followed = new Map<string, string>();
  #requests = 0;
  #timer: Timer | undefined;
  #isReading = false;

  constructor(parts: ParameterDeskParts) {
    this.#parts = parts;
  }

  async take(message: ParameterMessage, door: Door): Promise<void> {
    if (message.op === 'unsubscribeParameterUpdates') {
      this.#leave(message.parameterNames);
      return;
    }
    if (this.#requests >= REQUESTS_MAX) {
      this.#parts.say('warning', 'parameters', 'too many requests for parameters at a time');
      return;
    }
    this.#requests += 1;
    try {
      if (message.op === 'getParameters') await this.#read(door, message.parameterNames, message.id);
      else if (message.op === 'setParameters') await this.#set(door, message);
      else this.#follow(await this.#known(door, message.parameterNames), door);
    } finally {
      this.#requests -= 1;
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#followed.clear();
  }

  async #set(
    door: Door,
    { parameters, id }: Extract<ParameterMessage, { op: 'setParameters' }>,
  ): Promise<void> {
    const faults = await writeParameters(door, parameters);
    for (const fault of faults) this.#parts.say('error', 'parameters', fault);
    // The values that are in force now, whatever was refused.
    const names = parameters.map(({ name }) => name);
    if (id !== undefined && names.length > 0) await this.#read(door, names, id);
  }

  async #read(door: Door, names: readonly string[], id: string | undefined): Promise<void> {
    const { parameters, faults } = await readParameters(door, this.graph, names);
    for (const fault of faults) this.#parts.say('warning', 'parameters', fault);
    this.#parts.send({ op: 'parameterValues', parameters, ...(id === undefined ? {} : { id }) });
  }

  /** Without names: those of all parameters that are known now. */
  async #known(door: Door, names: readonly string[]): Promise<readonly string[]> {
    if (names.length > 0) return names;
    return (await readParameters(door, this.graph, [])).parameters.map(({ name }) => name);
  }

  #follow(names: readonly string[], door: Door): void {
    for (const name of names)
      if (!this.#followed.has(name) && this.#followed.size < LIMITS.ATTACH_PARAMETERS_MAX)
        this.#followed.set(name, '');
    if (this.#followed.size === 0) return;
    void this.#look(door);
    this.#timer ??= this.#parts.clock.every(LIMITS.ATTACH_PARAMETERS_MS, () => void this.#look(door));
  }

  #leave(names: readonly string[]): void {
    for (const name of names.length === 0 ? [...this.#followed.keys()] : names) this.#followed.delete(name);
    if (this.#followed.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #look(door: Door): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      const { parameters } = await readParameters(door, this.graph, [...this.#followed.keys()]);
      const changed = parameters.filter((one) => {
        const value = JSON.stringify(one);
        const before = this.#followed.get(one.name);
        if (before === undefined || before === value) return false;
        this.#followed.set(one.name, value);
        return true;
      });
      if (changed.length > 0) this.#parts.send({ op: 'parameterValues', parameters: changed });
    } finally {
      this.#isReading = false;
    }
  }
}
