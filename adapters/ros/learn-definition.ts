import type { EndpointInfo, RosServices } from '../../contract/core.ts';

const SEPARATOR = '='.repeat(80);
const ASK_MS = 2_000;
const ASKED_MAX = 3;

type Source = { readonly type_name: string; readonly encoding: string; readonly raw_file_contents: string };

/**
 * The definition of a type that is not installed here, asked of the nodes that publish it (since Jazzy each
 * offers `~/get_type_description`), as rosbag2 writes it. Undefined where none of them tells; never throws.
 */
export async function learnDefinition(
  services: RosServices,
  type: string,
  publishers: readonly EndpointInfo[],
): Promise<string | undefined> {
  const asked = new Map(publishers.map((publisher) => [publisher.node, publisher] as const));
  for (const { node, typeHash } of [...asked.values()].slice(0, ASKED_MAX)) {
    if (typeHash === undefined || node === '_NODE_NAME_UNKNOWN_') continue;
    try {
      const answer = await services.call(
        `${node}/get_type_description`,
        'type_description_interfaces/srv/GetTypeDescription',
        { type_name: type, type_hash: typeHash, include_type_sources: true },
        { timeoutMs: ASK_MS },
      );
      const definition = joinSources(type, answer['type_sources'] as readonly Source[]);
      if (answer['successful'] === true && definition !== undefined) return definition;
    } catch {
      // The next one may tell; without any the bytes are recorded all the same.
    }
  }
  return undefined;
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
