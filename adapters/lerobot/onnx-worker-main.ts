/** Worker thread of one ONNX session: the network blocks here and nowhere else. */
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { OnnxJob, OnnxReply } from './onnx-messages.ts';

const { bytes, output } = workerData as { bytes: Uint8Array; output: string };
const post = (reply: OnnxReply, transfer: ArrayBuffer[] = []) => parentPort!.postMessage(reply, transfer);

try {
  // One thread and no spinning: the default would keep a whole core busy between two inferences.
  const session = await InferenceSession.create(bytes, {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  });
  parentPort!.on('message', (job: OnnxJob) => void run(session, job));
  post({ t: 'ready', inputs: session.inputNames, outputs: session.outputNames });
} catch (error) {
  post({ t: 'failed', message: (error as Error).message });
}

async function run(session: InferenceSession, job: OnnxJob): Promise<void> {
  try {
    const feeds = Object.fromEntries(
      job.tensors.map(({ name, shape, data }) => [name, new Tensor('float32', data, [...shape])]),
    );
    const results = await session.run(feeds, [output]);
    const tensor = results[output]!;
    const data = Float32Array.from(tensor.data as Float32Array);
    post({ t: 'done', id: job.id, data, shape: [...tensor.dims] }, [data.buffer as ArrayBuffer]);
  } catch (error) {
    post({ t: 'error', id: job.id, message: (error as Error).message });
  }
}
