/** Entry of one cut: `cut-main.ts <order as JSON>`; the answer is one message. It ends with its caller. */
import { setPriority } from 'node:os';
import { EdgeError, LIMITS } from '../../contract/core.ts';
import { BagWriter } from './bag-writer.ts';
import { copyBag, originOf } from './copy-bag.ts';
import type { CutOrder } from './cut-aside.ts';
import { openBags } from './open-bag.ts';
import { wantedTopics } from './topic-patterns.ts';

const { folder, target, start_ns, end_ns, topics = [] } = JSON.parse(process.argv[2] ?? 'null') as CutOrder;
process.title = 'auraison-cut';
process.once('disconnect', () => process.exit(1));
// What the robot does comes first.
setPriority(10);

async function cut(): Promise<void> {
  const bag = await openBags([folder]);
  const tooMuch = new AbortController();
  try {
    const writer = await BagWriter.create({
      ...{ target, isFolder: false, storage: 'mcap', compression: 'none', ...originOf(bag) },
    });
    try {
      await copyBag(bag, writer, {
        ...{ startNs: BigInt(start_ns), endNs: BigInt(end_ns), latched: true, signal: tooMuch.signal },
        topics: topics.length === 0 ? undefined : wantedTopics(bag.topics, topics, undefined),
        onProgress: ({ bytes }) => bytes > LIMITS.BAG_CUT_BYTES_MAX && tooMuch.abort(),
      });
      await writer.finish();
    } catch (error) {
      await writer.abort();
      if (!tooMuch.signal.aborted) throw error;
      throw new EdgeError('limit.exceeded', {
        ...{ operation: 'cut bag', subject: folder.split('/').at(-1)! },
        message: `the part has more than ${LIMITS.BAG_CUT_BYTES_MAX} bytes`,
        hint: 'choose less time or fewer topics, or use auraison bag cut on the robot',
      });
    }
  } finally {
    await bag.close();
  }
}

const reply = await cut().then(
  () => ({ ok: true }),
  (thrown: unknown) => ({
    ok: false,
    error: EdgeError.from(thrown, 'internal.fault', 'cut bag', folder.split('/').at(-1)!).toBody(),
  }),
);
process.send?.(reply, () => process.exit(0));
