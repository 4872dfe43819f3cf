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

/** One offered profile, in the words of rosbag2; times in nanoseconds, undefined where unlimited. */
export type QosProfile = {
  readonly history: string;
  readonly depth: number;
  readonly reliability: string;
  readonly durability: string;
  readonly liveliness: string;
  readonly deadlineNs: bigint | undefined;
  readonly lifespanNs: bigint | undefined;
  readonly leaseNs: bigint | undefined;
};

/** Several publishers, several profiles; more than this on one topic is no bag. */
const PROFILES_MAX = 256;
/** rmw's infinite duration, as seconds; releases before Iron wrote 2147483647. */
const INFINITE_SECONDS = 2_147_483_647n;

/** The offered profiles as channel metadata, a topics row or metadata.yaml has them. Text that is none gives []. */
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
      deadlineNs: durationOf(item['deadline']),
      lifespanNs: durationOf(item['lifespan']),
      leaseNs: durationOf(item['liveliness_lease_duration']),
    };
  });
}

function nameOf(policy: Policy, value: YamlValue | undefined): string {
  const names: readonly string[] = NAMES[policy];
  if (typeof value !== 'string') return 'unknown';
  const name = /^\d+$/.test(value) ? names[Number(value)] : value;
  return name !== undefined && names.includes(name) ? name : 'unknown';
}

function durationOf(value: YamlValue | undefined): bigint | undefined {
  if (value === null || value === undefined || typeof value !== 'object' || Array.isArray(value))
    return undefined;
  const { sec, nsec } = value;
  if (typeof sec !== 'string' || typeof nsec !== 'string') return undefined;
  if (!/^\d{1,19}$/.test(sec) || !/^\d{1,19}$/.test(nsec)) return undefined;
  const [seconds, nanoseconds] = [BigInt(sec), BigInt(nsec)];
  if (seconds >= INFINITE_SECONDS || (seconds === 0n && nanoseconds === 0n)) return undefined;
  return seconds * 1_000_000_000n + nanoseconds;
}

/** The profile as our quality of service; undefined where it does not say how messages are delivered. */
export function qosOf(profile: QosProfile | undefined): Qos | undefined {
  if (!profile) return undefined;
  const { reliability, durability, history, depth, liveliness, deadlineNs, lifespanNs, leaseNs } = profile;
  if (reliability !== 'reliable' && reliability !== 'best_effort') return undefined;
  if (durability !== 'transient_local' && durability !== 'volatile') return undefined;
  const ms = (ns: bigint) => Number(ns) / 1e6;
  return {
    reliability,
    durability,
    history: history === 'keep_all' ? 'keep_all' : 'keep_last',
    depth: depth > 0 ? depth : 10,
    ...(deadlineNs === undefined ? {} : { deadlineMs: ms(deadlineNs) }),
    ...(lifespanNs === undefined ? {} : { lifespanMs: ms(lifespanNs) }),
    ...(liveliness === 'automatic' || liveliness === 'manual_by_topic' ? { liveliness } : {}),
    ...(leaseNs === undefined ? {} : { livelinessLeaseMs: ms(leaseNs) }),
  };
}

/** The profiles as ROS 2 Jazzy writes them (metadata version 9): the lines of a YAML list. */
export function profileLines(profiles: readonly QosProfile[]): string[] {
  return profiles.flatMap((profile) => [
    `- history: ${profile.history}`,
    `  depth: ${profile.depth}`,
    `  reliability: ${profile.reliability}`,
    `  durability: ${profile.durability}`,
    ...durationLines('deadline', profile.deadlineNs),
    ...durationLines('lifespan', profile.lifespanNs),
    `  liveliness: ${profile.liveliness}`,
    ...durationLines('liveliness_lease_duration', profile.leaseNs),
    '  avoid_ros_namespace_conventions: false',
  ]);
}

function durationLines(name: string, ns: bigint | undefined): string[] {
  const [sec, nsec] =
    ns === undefined ? [9_223_372_036n, 854_775_807n] : [ns / 1_000_000_000n, ns % 1_000_000_000n];
  return [`  ${name}:`, `    sec: ${sec}`, `    nsec: ${nsec}`];
}
