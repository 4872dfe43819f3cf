import type { Qos } from '../../contract/core.ts';
import { parseYaml, type YamlValue } from './yaml.ts';

/** rosbag2 wrote numbers before Iron and names since; the same number means another thing by policy. */
const NAMES = {
  history: ['system_default', 'keep_last', 'keep_all', 'unknown'],
  reliability: ['system_default', 'reliable', 'best_effort', 'unknown', 'best_available'],
  durability: ['system_default', 'transient_local', 'volatile', 'unknown', 'best_available'],
  liveliness: [
    'system_default',
    'automatic',
    'manual_by_node',
    'manual_by_topic',
    'unknown',
    'best_available',
  ],
} as const;
type Policy = keyof typeof NAMES;

/** As written in the bag: unlimited values have several spellings, and readers compare texts. */
type Duration = { readonly sec: bigint; readonly nsec: bigint };

/** One offered profile, in the words of rosbag2. */
export type QosProfile = {
  readonly history: string;
  readonly depth: number;
  readonly reliability: string;
  readonly durability: string;
  readonly liveliness: string;
  readonly deadline: Duration;
  readonly lifespan: Duration;
  readonly lease: Duration;
  readonly avoidRosNamespaces: boolean;
};

/** Several publishers, several profiles; more than this on one topic is no bag. */
const PROFILES_MAX = 256;
/** rmw's infinite duration, as seconds; releases before Iron wrote 2147483647. */
const INFINITE_SECONDS = 2_147_483_647n;

/** The offered profiles as channel metadata, a topics row or metadata.yaml has them. Invalid text gives []. */
export function parseProfiles(yaml: string): QosProfile[] {
  if (yaml.trim() === '') return [];
  try {
    return profilesOf(parseYaml(yaml, 'offered_qos_profiles'));
  } catch {
    return [];
  }
}

export function profilesOf(value: YamlValue | undefined): QosProfile[] {
  if (typeof value === 'string') return parseProfiles(value);
  if (!Array.isArray(value)) return [];
  return value.slice(0, PROFILES_MAX).flatMap((item) => {
    if (item === null || typeof item !== 'object' || Array.isArray(item)) return [];
    const depth = Number(item['depth'] ?? 0);
    return {
      history: nameOf('history', item['history']),
      depth: Number.isSafeInteger(depth) && depth >= 0 ? depth : 0,
      reliability: nameOf('reliability', item['reliability']),
      durability: nameOf('durability', item['durability']),
      liveliness: nameOf('liveliness', item['liveliness']),
      deadline: durationOf(item['deadline']),
      lifespan: durationOf(item['lifespan']),
      lease: durationOf(item['liveliness_lease_duration']),
      avoidRosNamespaces: item['avoid_ros_namespace_conventions'] === 'true',
    };
  });
}

function nameOf(policy: Policy, value: YamlValue | undefined): string {
  const names: readonly string[] = NAMES[policy];
  if (typeof value !== 'string') return 'unknown';
  const name = /^\d+$/.test(value) ? names[Number(value)] : value;
  return name !== undefined && names.includes(name) ? name : 'unknown';
}

const UNLIMITED: Duration = { sec: 9_223_372_036n, nsec: 854_775_807n };

function durationOf(value: YamlValue | undefined): Duration {
  if (value === null || value === undefined || typeof value !== 'object' || Array.isArray(value))
    return UNLIMITED;
  const { sec, nsec } = value;
  if (typeof sec !== 'string' || typeof nsec !== 'string') return UNLIMITED;
  if (!/^\d{1,19}$/.test(sec) || !/^\d{1,19}$/.test(nsec)) return UNLIMITED;
  return { sec: BigInt(sec), nsec: BigInt(nsec) };
}

/** Milliseconds; undefined where it is unlimited or not set. */
function limitMs({ sec, nsec }: Duration): number | undefined {
  if (sec >= INFINITE_SECONDS || (sec === 0n && nsec === 0n)) return undefined;
  return Number(sec) * 1e3 + Number(nsec) / 1e6;
}

/** The profile as our quality of service; undefined where it does not say how messages are delivered. */
export function qosOf(profile: QosProfile | undefined): Qos | undefined {
  if (!profile) return undefined;
  const { reliability, durability, history, depth, liveliness } = profile;
  if (reliability !== 'reliable' && reliability !== 'best_effort') return undefined;
  if (durability !== 'transient_local' && durability !== 'volatile') return undefined;
  const [deadlineMs, lifespanMs, livelinessLeaseMs] = [
    limitMs(profile.deadline),
    limitMs(profile.lifespan),
    limitMs(profile.lease),
  ];
  return {
    reliability,
    durability,
    history: history === 'keep_all' ? 'keep_all' : 'keep_last',
    depth: depth > 0 ? depth : 10,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(lifespanMs === undefined ? {} : { lifespanMs }),
    ...(liveliness === 'automatic' || liveliness === 'manual_by_topic' ? { liveliness } : {}),
    ...(livelinessLeaseMs === undefined ? {} : { livelinessLeaseMs }),
  };
}

/** A quality of service as a profile that rosbag2 offers again at a play. */
export function profileOf(qos: Qos): QosProfile {
  return {
    history: qos.history,
    depth: qos.depth,
    reliability: qos.reliability,
    durability: qos.durability,
    liveliness: qos.liveliness ?? 'automatic',
    deadline: durationFrom(qos.deadlineMs),
    lifespan: durationFrom(qos.lifespanMs),
    lease: durationFrom(qos.livelinessLeaseMs),
    avoidRosNamespaces: false,
  };
}

function durationFrom(ms: number | undefined): Duration {
  if (ms === undefined) return UNLIMITED;
  const ns = BigInt(Math.round(ms * 1e6));
  return { sec: ns / 1_000_000_000n, nsec: ns % 1_000_000_000n };
}

/** The profiles as ROS 2 Jazzy writes them (metadata version 9): the lines of a YAML list. */
export function profileLines(profiles: readonly QosProfile[]): string[] {
  return profiles.flatMap((profile) => [
    `- history: ${profile.history}`,
    `  depth: ${profile.depth}`,
    `  reliability: ${profile.reliability}`,
    `  durability: ${profile.durability}`,
    ...durationLines('deadline', profile.deadline),
    ...durationLines('lifespan', profile.lifespan),
    `  liveliness: ${profile.liveliness}`,
    ...durationLines('liveliness_lease_duration', profile.lease),
    `  avoid_ros_namespace_conventions: ${profile.avoidRosNamespaces}`,
  ]);
}

/** The profiles as channel metadata and the table of topics hold them; empty without profiles. */
export function offeredText(profiles: readonly QosProfile[]): string {
  return profileLines(profiles).join('\n');
}

function durationLines(name: string, { sec, nsec }: Duration): string[] {
  return [`  ${name}:`, `    sec: ${sec}`, `    nsec: ${nsec}`];
}
