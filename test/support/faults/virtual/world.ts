import {
  EdgeError,
  hasExpired,
  type Sample,
  type SampleSink,
  type SampleSource,
  type SourceState,
  type TopicSpec,
} from '../../../../contract/index.ts';
import {
  decodeFloat64MultiArray,
  decodeTwist,
  FLOAT64_MULTI_ARRAY,
  TWIST,
} from '../../../../formats/cdr/index.ts';
import type { HostedWorld } from '../../../../sim/hosted-world.ts';
import type { Entry } from '../record.ts';
import type { VirtualProcess } from './process.ts';

/** What the world measures of itself after each window. */
export type Measure = () => { readonly speeds: readonly number[]; readonly collisions: number };

/**
 * The process of the simulated robot: real physics behind the rules of `sim/host-server.ts`. One client, commands that
 * came too late are dropped, and it brakes when its client is gone. It writes its own record.
 */
export class VirtualWorld {
  readonly record: Entry[] = [];
  readonly process: VirtualProcess;
  readonly #world: HostedWorld;
  readonly #measure: Measure;
  #client: VirtualLink | undefined;
  /** Changes what leaves the robot: a sensor that is covered or silent. */
  sense: (samples: Sample[]) => Sample[] = (samples) => samples;

  constructor(process: VirtualProcess, world: HostedWorld, measure: Measure) {
    this.process = process;
    this.#world = world;
    this.#measure = measure;
  }

  start(): void {
    this.process.every(Number(this.#world.windowNs) / 1e6, () => this.#window());
  }

  get connected(): boolean {
    return this.#client !== undefined;
  }

  /** Samples of the robot that do not come from its physics: a button, another node. */
  say(sample: Sample): void {
    this.process.deliver(() => this.#client?.receive([sample]));
  }

  accept(link: VirtualLink): void {
    this.process.deliver(() => {
      this.#world.brake();
      this.#client = link;
      link.greet(this.#world.latched());
    });
  }

  obey(link: VirtualLink, sample: Sample): void {
    this.process.deliver(() => {
      if (this.#client !== link) return;
      const late = hasExpired(sample.expiresAtMs, this.process.monotonicMs());
      const refused = late ? 'the command came too late' : this.#refusal(sample);
      const atMs = this.process.monotonicMs();
      this.record.push({ kind: 'command', atMs, worldMs: this.#worldMs, values: valuesOf(sample), refused });
    });
  }

  /** What a robot does not obey at all it refuses too. */
  #refusal(sample: Sample): string {
    try {
      return this.#world.obey(sample) ?? '';
    } catch (thrown) {
      return thrown instanceof Error ? thrown.message : String(thrown);
    }
  }

  /** The connection ended, as the kernel tells it: not where a cable was pulled. */
  gone(link: VirtualLink): void {
    this.process.deliver(() => {
      if (this.#client !== link) return;
      this.#client = undefined;
      this.#world.brake();
    });
  }

  close(): void {
    this.process.kill();
    this.#world.close();
  }

  get #worldMs(): number {
    return Number(this.#world.time / 1_000n) / 1e3;
  }

  #window(): void {
    const samples = this.sense(this.#world.window());
    this.#client?.receive(samples);
    this.record.push({
      ...{ kind: 'state', atMs: this.process.monotonicMs(), worldMs: this.#worldMs },
      ...this.#measure(),
    });
  }
}

function valuesOf({ type, bytes }: Sample): readonly number[] {
  if (type === TWIST) {
    const { linear, angular } = decodeTwist(bytes);
    return [linear.x, angular.z];
  }
  // What is no list of positions (a trajectory) moves all joints, whatever it says.
  return type === FLOAT64_MULTI_ARRAY ? [...decodeFloat64MultiArray(bytes)] : [Number.POSITIVE_INFINITY];
}

/** From the end of a connection to the next one, milliseconds. */
const RECONNECT_MS = 50;

/** The connection of an execution cell to the robot, as source and sink. */
export class VirtualLink implements SampleSource, SampleSink {
  readonly #world: VirtualWorld;
  readonly #process: VirtualProcess;
  readonly #obeys: readonly TopicSpec[];
  #types = new Map<string, string>();
  #onSample: (sample: Sample) => void = () => {};
  #onState: (state: SourceState) => void = () => {};
  #connected = false;
  /** Nothing passes: `cut` with an end that both sides see, `silent` without. */
  #broken: 'no' | 'cut' | 'silent' = 'no';
  #closed = false;

  constructor(world: VirtualWorld, process: VirtualProcess, obeys: readonly TopicSpec[]) {
    this.#world = world;
    this.#process = process;
    this.#obeys = obeys;
  }

  async open(
    topics: readonly TopicSpec[],
    onSample: (sample: Sample) => void,
    onState: (state: SourceState) => void,
  ): Promise<void> {
    this.#types = new Map(topics.map(({ topic, type }) => [topic, type]));
    this.#onSample = onSample;
    this.#onState = onState;
    this.#connect();
  }

  state(): SourceState {
    return { connected: this.#connected, reason: this.#connected ? '' : 'the robot is away', lost: {} };
  }

  async advertise({ topic, type }: TopicSpec): Promise<void> {
    if (this.#obeys.some((known) => known.topic === topic && known.type === type)) return;
    throw new EdgeError('robot.not_supported', { operation: 'advertise', subject: topic });
  }

  offer(sample: Sample): boolean {
    if (!this.#connected || this.#process.isDead) return false;
    if (this.#broken === 'no') this.#world.obey(this, sample);
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#connected = false;
    this.#world.gone(this);
  }

  greet(latched: Sample[]): void {
    if (this.#broken !== 'no') return;
    this.#process.deliver(() => {
      this.#connected = true;
      this.#onState(this.state());
      this.#hand(latched);
    });
  }

  receive(samples: Sample[]): void {
    if (this.#broken === 'no') this.#process.deliver(() => this.#hand(samples));
  }

  break(how: 'cut' | 'silent'): void {
    this.#broken = how;
    if (how === 'silent') return;
    this.#world.gone(this);
    this.#process.deliver(() => {
      this.#connected = false;
      this.#onState(this.state());
    });
  }

  mend(): void {
    const was = this.#broken;
    this.#broken = 'no';
    if (was === 'cut') this.#process.after(RECONNECT_MS, () => this.#connect());
  }

  #connect(): void {
    if (!this.#closed) this.#world.accept(this);
  }

  #hand(samples: readonly Sample[]): void {
    for (const sample of samples) if (this.#types.get(sample.topic) === sample.type) this.#onSample(sample);
  }
}
