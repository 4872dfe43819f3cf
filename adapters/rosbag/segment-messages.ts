import { join } from 'node:path';
import type { EdgeError, OpenRecorded, Sample } from '../../contract/core.ts';
import type { BagChannel } from './bag.ts';
import { openFile } from './open-bag.ts';

/**
 * Opens segments of a recording for readers of the data directory; `path` is relative to it. What the file system says
 * of a file passes as it is. The file is closed when its reader has had enough.
 */
export function segmentMessages(
  dataDir: string,
): (
  path: string,
  topics: ReadonlySet<string>,
  onDamage: (fault: EdgeError) => void,
) => AsyncIterable<Sample> {
  return async function* (path, topics, onDamage) {
    const bag = await openFile(join(dataDir, path));
    try {
      yield* bag.messages({ topics, onDamage });
    } finally {
      await bag.close();
    }
  };
}

/** The same with all that a file says of a message, and its definition. */
export function recordedMessages(dataDir: string): OpenRecorded {
  return async function* (path, range) {
    const bag = await openFile(join(dataDir, path));
    const definitions = new Map<BagChannel, string | undefined>();
    try {
      const { wants } = range;
      const wanted = wants && bag.channels.filter(({ topic, type }) => wants(topic, type));
      const filter = wanted ? { ...range, topics: new Set(wanted.map(({ topic }) => topic)) } : range;
      if (filter.topics?.size === 0) return;
      for await (const { channel, sequence, logTime, publishTime, bytes } of bag.records(filter)) {
        if (wants && !wants(channel.topic, channel.type)) continue;
        if (!definitions.has(channel)) definitions.set(channel, definitionOf(channel));
        const { topic, type, messageEncoding: encoding } = channel;
        const definition = definitions.get(channel);
        yield { topic, type, definition, encoding, sequence, logTime, publishTime, bytes };
      }
    } finally {
      await bag.close();
    }
  };
}

function definitionOf({ schemaEncoding, schemaData }: BagChannel): string | undefined {
  return schemaEncoding === 'ros2msg' && schemaData.length > 0
    ? new TextDecoder().decode(schemaData)
    : undefined;
}
