import type { EpisodeMapping, FeatureSource } from '../../adapters/lerobot-dataset/index.ts';
import { openBag } from '../../adapters/rosbag/index.ts';
import { ACTION_SOURCES, EdgeError, GOAL_SOURCE } from '../../contract/core.ts';

export type MappingFlags = {
  readonly fps: string;
  readonly state?: string;
  readonly action?: string;
  readonly camera?: readonly string[];
  readonly vector?: readonly string[];
  readonly names?: string;
  readonly actionNames?: string;
  readonly maxAge: bigint;
  readonly actionMaxAge: bigint;
  readonly slop?: bigint | undefined;
  /** Leave out: no cameras at all. */
  readonly cameras: boolean;
};

const STATE = '/joint_states';
const COMMANDS = '/forward_position_controller/commands';
/** Topics of scene perception, where they are recorded. */
const ENVIRONMENT = '/environment_state';
const APPLIED = '/auraison/actions/';
/** Goals are no steps: another node decides what is done for them. */
const GOALS = `${APPLIED}${GOAL_SOURCE}`;
const OTHERS: ReadonlySet<string> = new Set(ACTION_SOURCES);
const PICTURES = ['sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'];

/** Which topics become which features: by the flags, else by the usual topics of this daemon, found in one bag. */
export async function mappingOf(path: string, flags: MappingFlags): Promise<EpisodeMapping> {
  const bag = await openBag(path);
  const topics = bag.topics.filter(({ messages }) => messages > 0);
  await bag.close();
  const has = (name: string) => topics.some(({ topic }) => topic === name);
  const fps = Number(flags.fps);
  if (!Number.isSafeInteger(fps) || fps < 1 || fps > 1_000)
    throw wrong('--fps', flags.fps, 'a whole number from 1 to 1000');
  const maxAgeMs = Number(flags.maxAge) / 1e6;
  const state = flags.state ?? (has(STATE) ? STATE : undefined);
  const recorded = topics
    .map(({ topic }) => topic)
    .filter((topic) => topic.startsWith(APPLIED) && topic !== GOALS);
  // A controller acts on observations; what the daemon was sent by others is recorded beside it.
  const byControllers = recorded.filter((topic) => !OTHERS.has(topic.slice(APPLIED.length)));
  const applied = byControllers.length > 0 ? byControllers : recorded;
  const action = flags.action ?? (has(COMMANDS) ? COMMANDS : applied.length === 1 ? applied[0] : undefined);
  if (state === undefined && (flags.vector ?? []).length === 0)
    throw unclear(path, `${STATE} was not recorded`, '--state');
  if (action === undefined)
    throw unclear(
      path,
      applied.length > 1 ? `several of ${applied.join(', ')}` : `${COMMANDS} was not recorded`,
      '--action',
    );
  const named = (text: string | undefined) => (text === undefined ? {} : { names: text.split(',') });
  const measured = (source: FeatureSource): FeatureSource => ({ ...source, maxAgeMs });
  return {
    fps,
    slopMs: flags.slop === undefined ? 100 / fps : Number(flags.slop) / 1e6,
    vectors: {
      ...(state === undefined
        ? {}
        : { 'observation.state': measured({ ...sourceOf(state), ...named(flags.names) }) }),
      ...Object.fromEntries(
        (flags.vector ?? (has(ENVIRONMENT) ? [`observation.environment_state=${ENVIRONMENT}`] : [])).map(
          (text) => {
            const [key, source] = pairOf(text, '--vector');
            return [key, measured(sourceOf(source))];
          },
        ),
      ),
      action: {
        ...sourceOf(action),
        ...named(flags.actionNames ?? flags.names),
        maxAgeMs: Number(flags.actionMaxAge) / 1e6,
        isAction: true,
      },
    },
    images: flags.cameras ? camerasOf(flags.camera, topics, maxAgeMs) : {},
    decode: async (file) => (await import('../../adapters/images/sharp-decoder.ts')).decodePicture(file),
  };
}

function camerasOf(
  flags: readonly string[] | undefined,
  topics: readonly { readonly topic: string; readonly type: string }[],
  maxAgeMs: number,
): Record<string, FeatureSource> {
  const pairs =
    flags?.map((text) => pairOf(text, '--camera')) ??
    topics.flatMap(({ topic, type }): [string, string][] => {
      const [, name, packed] = /^\/camera\/(\w+)\/image_raw(\/compressed)?$/.exec(topic) ?? [];
      if (!PICTURES.includes(type)) return [];
      // Raw images have no compression loss.
      const isSecond = packed !== undefined && topics.some((other) => `${other.topic}/compressed` === topic);
      if (isSecond) return [];
      return name === undefined ? [] : [[name, topic]];
    });
  return Object.fromEntries(
    pairs.map(([name, topic]) => [`observation.images.${name}`, { topic, maxAgeMs }]),
  );
}

/** `TOPIC` or `TOPIC:field,field`. */
function sourceOf(text: string): FeatureSource {
  const [topic = '', fields] = text.split(':');
  if (!topic.startsWith('/')) throw wrong('topic', text, '/topic or /topic:field,field');
  return { topic, maxAgeMs: 0, ...(fields === undefined ? {} : { fields: fields.split(',') }) };
}

function pairOf(text: string, option: string): [string, string] {
  const match = /^([A-Za-z0-9_.-]+)=(\/.+)$/.exec(text);
  if (!match) throw wrong(option, text, 'NAME=/topic');
  return [match[1]!, match[2]!];
}

function wrong(option: string, text: string, expected: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'dataset export',
    subject: option,
    message: `${option} ${text}: ${expected} expected`,
  });
}

function unclear(path: string, message: string, option: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'dataset export',
    subject: path,
    message: `${path}: ${message}`,
    hint: `name the topic with ${option}; auraison bag info shows what there is`,
  });
}
