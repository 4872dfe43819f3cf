import {
  type Clock,
  type EndpointInfo,
  pause,
  type RosApi,
  type RosServices,
  type TopicSpec,
} from '../../contract/core.ts';
import { NAME_UNKNOWN } from './host/graph-view.ts';

const SEPARATOR = '='.repeat(80);
const ASK_MS = 2_000;
const AGAIN_MS = 100;
const ASKED_MAX = 3;

type Source = { readonly type_name: string; readonly encoding: string; readonly raw_file_contents: string };

/**
 * The definition of a type that is not installed here, asked of the nodes that publish it (since Jazzy each
 * offers `~/get_type_description`), as rosbag2 writes it. A publisher may be known before the name of its node, and
 * the node before its services: while they may still answer they are asked again, for `withinMs` at most. Undefined
 * where none of them answers; never throws.
 */
export async function learnDefinition(
  { services, graph }: Pick<RosApi, 'services' | 'graph'>,
  clock: Clock,
  { topic, type }: Pick<TopicSpec, 'topic' | 'type'>,
  publishers: readonly EndpointInfo[],
  withinMs: number,
): Promise<string | undefined> {
  const end = clock.monotonicMs() + withinMs;
  for (let now = publishers; ; ) {
    const answer = await ask(services, type, now);
    if (answer !== 'later') return answer;
    if (clock.monotonicMs() >= end) return undefined;
    await pause(clock, AGAIN_MS);
    const seen = await graph.snapshot().catch(() => undefined);
    now =
      seen?.topics.find((one) => one.topic === topic)?.publishers.filter((one) => one.type === type) ?? now;
  }
}

/** `later`: a node that could answer has no name yet, or did not answer. */
async function ask(
  services: Pick<RosServices, 'call'>,
  type: string,
  publishers: readonly EndpointInfo[],
): Promise<string | 'later' | undefined> {
  // Without a hash of the type there is nothing to ask for: a node from before Jazzy, or none of ROS.
  const able = publishers.filter(({ typeHash }) => typeHash !== undefined);
  const asked = new Map(able.map((publisher) => [publisher.node, publisher] as const));
  let isOpen = asked.delete(NAME_UNKNOWN);
  for (const { node, typeHash } of [...asked.values()].slice(0, ASKED_MAX)) {
    try {
      const answer = await services.call(
        `${node}/get_type_description`,
        'type_description_interfaces/srv/GetTypeDescription',
        { type_name: type, type_hash: typeHash!, include_type_sources: true },
        { timeoutMs: ASK_MS },
      );
      const definition = joinSources(type, answer['type_sources'] as readonly Source[]);
      if (answer['successful'] === true && definition !== undefined) return definition;
    } catch {
      // The next one may answer; without any the bytes are still recorded.
      isOpen = true;
    }
  }
  return isOpen ? 'later' : undefined;
}

/** Undefined unless every source is a `.msg` text with something in it, that of `type` included. */
export function joinSources(type: string, sources: readonly Source[]): string | undefined {
  const root = sources.find((source) => source.type_name === type);
  if (!root || sources.some(({ encoding }) => encoding !== 'msg')) return undefined;
  const others = sources.filter((source) => source !== root);
  const parts = others.map(
    ({ type_name, raw_file_contents }) =>
      `${SEPARATOR}\nMSG: ${type_name.replace('/msg/', '/')}\n${raw_file_contents.trimEnd()}`,
  );
  return `${[root.raw_file_contents.trimEnd(), ...parts].join('\n')}\n`;
}
