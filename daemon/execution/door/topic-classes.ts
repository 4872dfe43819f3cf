import { compilePattern, type TopicPattern, type TopicSpec } from '../../../contract/core.ts';
import { COMMAND_TYPES, JOINT_STATE_TYPE, REPORT_TYPES } from './motion-types.ts';

/** What a sample into a robot is. Unknown is refused. */
export type TopicClass = 'command' | 'harmless' | 'unknown';

export type TopicClassesOptions = {
  /** Topics that this robot obeys by its configuration: velocities, outputs of controllers, its joints by hand. */
  readonly obeys?: readonly string[];
  /** `robot.harmless`: patterns over topics, services and actions. */
  readonly harmless?: readonly string[] | undefined;
  /** Types of a topic that the robot's own graph knows; absent, or empty: nothing is known. */
  readonly graphTypes?: ((topic: string) => readonly string[]) | undefined;
};

/** Verdicts that are kept; then all are worked out again. */
const KEPT_MAX = 2_048;
/** The state of joints by convention, in any namespace. */
const JOINT_STATES = /(?:^|\/)joint_states$/;
/** No topic of ROS has these. As a key of Zenoh they would reach topics under other names. */
const ODD = /[*$#?]|::dds_::/;
/** A key of rmw_zenoh: domain, name, type as DDS spells it, hash. */
const ROS_KEY = /^\d{1,3}\/(.+)\/(\w+)::(\w+)::dds_::(\w+)_\/[^/]+$/;

/** What a topic of a robot is, by its type and by the description of the robot. */
export class TopicClasses {
  readonly #obeys: ReadonlySet<string>;
  readonly #harmless: readonly TopicPattern[];
  readonly #graphTypes: (topic: string) => readonly string[];
  readonly #kept = new Map<string, TopicClass>();

  constructor({ obeys = [], harmless = [], graphTypes }: TopicClassesOptions = {}) {
    this.#obeys = new Set(obeys);
    this.#harmless = harmless.map(compilePattern);
    this.#graphTypes = (topic) => graphTypes?.(topic) ?? [];
  }

  /**
   * In this order: what the robot obeys is a command, whatever its type and whatever the configuration calls harmless.
   * A name given in full makes a topic harmless, a pattern only one that would be unknown. Then the type decides.
   */
  classify({ topic, type }: Pick<TopicSpec, 'topic' | 'type'>): TopicClass {
    const key = `${type} ${topic}`;
    const known = this.#kept.get(key);
    if (known) return known;
    const verdict = this.#classify(topic, type);
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(key, verdict);
    return verdict;
  }

  /** The graph of the robot has changed. */
  forget(): void {
    this.#kept.clear();
  }

  obeys(topic: string): boolean {
    return this.#obeys.has(topic);
  }

  /** Whether the configuration names it: in full, or by a pattern. */
  named(name: string): 'in full' | 'by a pattern' | undefined {
    const fits = this.#harmless.filter((pattern) => pattern.match(name) !== undefined);
    if (fits.length === 0) return undefined;
    return fits.some(({ wildcards }) => wildcards.length === 0) ? 'in full' : 'by a pattern';
  }

  /**
   * The class of a value at a key of Zenoh that ROS nodes of a robot hear: under the keys of rmw_zenoh, or under the
   * name of a topic, as zenoh-bridge-ros2dds carries it. The bridge of another robot may have any prefix, so a type that
   * moves robots is a command at every key, and so is a value at a key that ends with a topic that this robot obeys,
   * unless the configuration names the key in full. Undefined: no robot obeys the key.
   */
  classifyKey(key: string, type: string): TopicClass | undefined {
    if (/[*$#?]/.test(key)) return 'unknown';
    const match = ROS_KEY.exec(key);
    if (match) return this.classify({ topic: `/${match[1]}`, type: `${match[2]}/${match[3]}/${match[4]}` });
    const topic = `/${key}`;
    if (this.#obeys.has(topic)) return 'command';
    const moves = COMMAND_TYPES.has(type) || [...this.#obeys].some((obeyed) => topic.endsWith(obeyed));
    if (!moves) return undefined;
    return this.named(topic) === 'in full' ? 'harmless' : 'command';
  }

  #classify(topic: string, type: string): TopicClass {
    if (this.#obeys.has(topic)) return 'command';
    if (ODD.test(topic)) return 'unknown';
    const named = this.named(topic);
    if (named === 'in full') return 'harmless';
    const types = [type, ...this.#graphTypes(topic)];
    if (types.some((one) => COMMAND_TYPES.has(one))) return 'command';
    if (named || types.every((one) => reports(topic, one))) return 'harmless';
    return 'unknown';
  }
}

function reports(topic: string, type: string): boolean {
  return REPORT_TYPES.has(type) || (type === JOINT_STATE_TYPE && JOINT_STATES.test(topic));
}
