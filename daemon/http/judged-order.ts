import type { FastifyReply } from 'fastify';
import { EdgeError } from '../../contract/index.ts';

/** What happens where the caller goes away while the order is carried out. */
export type HangUp<T> = {
  /** Called once, in that moment. */
  during?(): void;
  /**
   * Called once, when the order was carried out: no client has its answer, so no client could end what it started.
   */
  after?(given: T): void;
};

/**
 * An order that may move the robot: policies are asked, then it is given. Policies take their time, and a caller who hangs
 * up meanwhile gets nothing done: rejects with `run.cancelled`, and `give` is not called.
 */
export async function judgedOrder<T>(
  reply: Pick<FastifyReply, 'raw'>,
  what: { readonly operation: string; readonly subject: string },
  judge: () => Promise<unknown>,
  give: () => Promise<T>,
  hangUp: HangUp<T> = {},
): Promise<T> {
  let isGiven = false;
  let isGone = false;
  const gone = () => {
    if (reply.raw.writableFinished) return;
    isGone = true;
    if (isGiven) hangUp.during?.();
  };
  // Before the policies are asked: a connection that is closed says so once.
  reply.raw.once('close', gone);
  try {
    await judge();
    if (isGone || reply.raw.destroyed)
      throw new EdgeError('run.cancelled', { ...what, message: 'the caller hung up before it started' });
    isGiven = true;
    const given = await give();
    if (isGone || reply.raw.destroyed) hangUp.after?.(given);
    return given;
  } finally {
    reply.raw.off('close', gone);
  }
}
