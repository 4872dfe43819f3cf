/** Entry of one cut: `cut-main.ts <order as JSON>`; the answer is one message. It ends with its caller. */
import { setPriority } from 'node:os';
import { EdgeError, LIMITS } from '../../contract/core.ts';
import { BagWriter } from './bag-writer.ts';
import { type CopyResult, copyBag, originOf } from './copy-bag.ts';
import type { CutOrder } from './cut-aside.ts';
import { faultsWithin, refuseEmptySpan } from './cut-checks.ts';
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
  const span = { startNs: BigInt(start_ns), endNs: BigInt(end_ns) };
  try {
    refuseEmptySpan(bag, span, ['cut bag', '/start_ns']);
    const writer = await BagWriter.create({
      ...{ target, isFolder: false, storage: 'mcap', compression: 'none', ...originOf(bag) },
    });
    try {
      const copied = await copyBag(bag, writer, {
        ...{ ...span, latched: true, signal: tooMuch.signal },
        topics: topics.length === 0 ? undefined : wantedTopics(bag.topics, topics, undefined),
        onProgress: ({ bytes }) => bytes > LIMITS.BAG_CUT_BYTES_MAX && tooMuch.abort(),
      });
      await refuseIncomplete(copied, span);
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

/** The answer is a file and nothing else: it cannot say what it lacks. */
async function refuseIncomplete(
  { faults, messages, latched }: CopyResult,
  span: { readonly startNs: bigint; readonly endNs: bigint },
): Promise<void> {
  const [first, ...others] = await faultsWithin(folder, faults, span);
  const subject = folder.split('/').at(-1)!;
  if (first)
    throw new EdgeError('bag.malformed', {
      ...{ operation: 'cut bag', subject },
      message: `the part would not be complete: ${first.subject.split('/').at(-1)}: ${first.message}${others.length > 0 ? `, and ${others.length} more` : ''}`,
      hint: 'choose another time; auraison bag cut on the robot copies what can be read, and says what is lost',
    });
  if (topics.length === 0 && messages === latched)
    throw new EdgeError('api.not_found', {
      ...{ operation: 'cut bag', subject },
      message: 'the recording has no message of this time: nothing was recorded then, or it was removed',
    });
}

const reply = await cut().then(
  () => ({ ok: true }),
  (thrown: unknown) => ({
    ok: false,
    error: EdgeError.from(thrown, 'internal.fault', 'cut bag', folder.split('/').at(-1)!).toBody(),
  }),
);
process.send?.(reply, () => process.exit(0));
