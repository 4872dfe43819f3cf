import { join } from 'node:path';
import { BagWriter } from '../../adapters/rosbag/index.ts';
import type { AppliedAction, NewEvent, Sample } from '../../contract/index.ts';
import { actionSample } from '../../daemon/execution/controllers/action-sample.ts';

/** Writes a sealed segment with these steps, as a controller records them, and tells its event. */
export async function writeSteps(
  dataDir: string,
  path: string,
  steps: readonly AppliedAction[],
  more: readonly Sample[] = [],
): Promise<NewEvent<'segment.sealed'>> {
  const target = join(dataDir, path);
  const writer = await BagWriter.create({ target, storage: 'mcap', isFolder: false, chunkBytes: 16_384 });
  const topics: Record<string, number> = {};
  const schemaData = Buffer.from('string data');
  for (const { topic, type, stamp, bytes } of [...steps.map(actionSample), ...more]) {
    topics[topic] = (topics[topic] ?? 0) + 1;
    const definition = { schemaEncoding: 'ros2msg', schemaData, messageEncoding: 'cdr', metadata: new Map() };
    const times = { sequence: 0, logTime: stamp, publishTime: stamp };
    await writer.write({ channel: { topic, type, ...definition }, ...times, bytes });
  }
  const { files } = await writer.finish();
  const { bytes, messages, startNs, endNs } = files[0]!;
  const bag = path.split('/')[1]!;
  return {
    kind: 'segment.sealed',
    payload: {
      ...{ bag, path, sha256: 'cd'.repeat(32), bytes, messages, topics, repaired: false },
      ...{ start_ns: startNs.toString(), end_ns: endNs.toString() },
    },
  };
}
