/** Entry of the process that computes vectors of texts: the network and its memory are here, and end with it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { EmbedOrder, EmbedReply } from './embed-messages.ts';
import { TEXT_MODEL, textModelFault } from './text-model.ts';
import { WordPieces } from './word-pieces.ts';

const { dimensions } = TEXT_MODEL;
const folder = process.argv[2]!;
const send = (reply: EmbedReply) => process.send!(reply, undefined, {}, () => {});
process.on('disconnect', () => process.exit(0));

try {
  const fault = await textModelFault(folder);
  if (fault !== undefined) throw new Error(fault);
  const pieces = new WordPieces(await readFile(join(folder, 'vocab.txt'), 'utf8'));
  const session = await InferenceSession.create(join(folder, 'model.onnx'), {
    executionProviders: ['cpu'],
    // One thread without spinning, and memory that is given back: it works beside control loops.
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    enableCpuMemArena: false,
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  });
  let before: Promise<void> = Promise.resolve();
  process.on('message', ({ id, texts }: EmbedOrder) => {
    before = before.then(async () => {
      try {
        const vectors = new Float32Array(texts.length * dimensions);
        // One at a time: weights are scaled by all that is in a batch, and a text would have other vectors beside others.
        for (const [index, text] of texts.entries())
          vectors.set(await vectorOf(session, pieces.encode(text)), index * dimensions);
        send({ t: 'done', id, vectors });
      } catch (error) {
        send({ t: 'error', id, message: (error as Error).message });
      }
    });
  });
  send({ t: 'ready' });
} catch (error) {
  send({ t: 'failed', message: (error as Error).message });
}

/** The mean over its tokens, with length 1. */
async function vectorOf(session: InferenceSession, ids: readonly number[]): Promise<Float32Array> {
  const shape = [1, ids.length];
  const filled = (value: bigint) => new BigInt64Array(ids.length).fill(value);
  const { last_hidden_state: hidden } = await session.run({
    input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
    attention_mask: new Tensor('int64', filled(1n), shape),
    token_type_ids: new Tensor('int64', filled(0n), shape),
  });
  const data = hidden!.data as Float32Array;
  const mean = new Float32Array(dimensions);
  for (let at = 0; at < data.length; at++) mean[at % dimensions]! += data[at]!;
  const length = Math.hypot(...mean) || 1;
  return mean.map((value) => value / length);
}
