import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { type Clock, LIMITS } from '../../contract/index.ts';

/**
 * Ends an answer of which the client takes nothing for `LIMITS.STREAM_STALLED_MS` (it is seen within twice that time), so
 * that a client that stalls does not hold its file, and those who wait for it, for good.
 */
export function endWhenStalled(clock: Pick<Clock, 'after'>, reply: FastifyReply, stream: Readable): void {
  let taken = -1;
  const look = () => {
    const now = reply.raw.socket?.bytesWritten ?? -1;
    if (now === taken) {
      reply.raw.destroy();
      stream.destroy();
      return;
    }
    taken = now;
    timer = clock.after(LIMITS.STREAM_STALLED_MS, look);
  };
  let timer = clock.after(LIMITS.STREAM_STALLED_MS, look);
  stream.once('close', () => timer.cancel());
}
