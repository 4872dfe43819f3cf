import type { FastifyReply } from 'fastify';
import { EdgeError } from '../../contract/index.ts';

/**
 * An order that may move the robot: policies are asked, then it is given. Policies take their time, and a caller who hangs
 * up meanwhile gets nothing done: rejects with `run.cancelled`, and `give` is not called. `hungUp` is called at most once,
 * when the caller goes away while the order is under way.
 */
export async function judgedOrder<T>(
  reply: Pick<FastifyReply, 'raw'>,
  what: { readonly operation: string; readonly subject: string },
  judge: () => Promise<unknown>,
  give: () => Promise<T>,
  hungUp: () => void = () => {},
): Promise<T> {
  let isGiven = false;
  let isGone = false;
  const gone = () => {
    if (reply.raw.writableFinished) return;
    isGone = true;
    if (isGiven) hungUp();
  };
  // Before the policies are asked: a connection that is closed says so once.
  reply.raw.once('close', gone);
  try {
    await judge();
    if (isGone || reply.raw.destroyed)
      throw new EdgeError('run.cancelled', { ...what, message: 'the caller hung up before it began' });
    isGiven = true;
    return await give();
  } finally {
    reply.raw.off('close', gone);
  }
}
