/** Worker thread of one ONNX session: the network blocks here and nowhere else. */
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { outputNames } from './model-card.ts';
import { actionsOf, emptyJob, feedsOf } from './onnx-feeds.ts';
import type { OnnxJob, OnnxOrder, OnnxProvider, OnnxReply, OnnxStart } from './onnx-messages.ts';
import { keepPrefix, prefixFeeds } from './onnx-prefix.ts';

const { bytes, card, prefix, providers, threads } = workerData as OnnxStart;
const outputs = outputNames(card);
const post = (reply: OnnxReply, transfer: ArrayBuffer[] = []) => parentPort!.postMessage(reply, transfer);

try {
  const { session, provider, skipped } = await open();
  // The first run allocates and, on a graphics card, compiles: no caller should wait for it with a robot in motion.
  await infer(session, emptyJob(card));
  parentPort!.on('message', (order: OnnxOrder) => {
    if (order === 'end') parentPort!.close();
    else void answer(session, order);
  });
  post({ t: 'ready', provider, skipped });
} catch (error) {
  post({ t: 'failed', message: (error as Error).message });
}

/** The first provider that is available; the last failure is the one that counts. */
async function open(): Promise<{
  session: InferenceSession;
  provider: OnnxProvider;
  skipped: { provider: OnnxProvider; why: string }[];
}> {
  const skipped: { provider: OnnxProvider; why: string }[] = [];
  const wanted: OnnxProvider[] = [...providers.filter((provider) => provider !== 'cpu'), 'cpu'];
  for (const provider of wanted) {
    try {
      // No spinning: the default would keep a whole core busy between two inferences.
      const session = await InferenceSession.create(bytes, {
        executionProviders: [provider],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
      });
      return { session, provider, skipped };
    } catch (error) {
      if (provider === 'cpu') throw error;
      skipped.push({ provider, why: (error as Error).message });
    }
  }
  throw new Error('no execution provider');
}

async function infer(session: InferenceSession, job: Omit<OnnxJob, 'id'>): Promise<Float32Array> {
  const feeds: Record<string, Tensor> = Object.fromEntries(
    Object.entries(feedsOf(card, job)).map(([name, { shape, data }]) => [
      name,
      new Tensor('float32', data, [...shape]),
    ]),
  );
  for (const [name, feed] of Object.entries(prefix ? prefixFeeds(prefix, card, job.prefix) : {}))
    feeds[name] = new Tensor(feed.type, feed.data, [...feed.shape]);
  const results = await session.run(feeds, [...outputs]);
  const actions = actionsOf(
    card,
    outputs.map((name) => {
      const { dims, data } = results[name]!;
      return { shape: dims, data: Float32Array.from(data as Float32Array) };
    }),
  );
  return prefix ? keepPrefix(actions, prefix, card, job.prefix) : actions;
}

async function answer(session: InferenceSession, job: OnnxJob): Promise<void> {
  try {
    const data = await infer(session, job);
    post({ t: 'done', id: job.id, data }, [data.buffer as ArrayBuffer]);
  } catch (error) {
    post({ t: 'error', id: job.id, message: (error as Error).message });
  }
}
