import type { FastifyReply } from 'fastify';
import { EdgeError, type StopCount } from '../../contract/index.ts';

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
 * up meanwhile gets nothing done: rejects with `run.cancelled`, and `give` is not called. The same holds for a caller who
 * asked before the robot was stopped: rejects with `robot.preempted`.
 */
export async function judgedOrder<T>(
  reply: Pick<FastifyReply, 'raw'>,
  { stops, ...what }: { readonly operation: string; readonly subject: string; readonly stops: StopCount },
  judge: () => Promise<unknown>,
  /** Gets when the order came, for the execution cell: `wantedAtMs` of its call. */
  give: (wantedAtMs: number) => Promise<T>,
  hangUp: HangUp<T> = {},
): Promise<T> {
  let isGiven = false;
  let isGone = false;
  const wanted = stops.now();
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
    // It may move the robot: every stop counts, also that of an agent.
    if (stops.since(wanted))
      throw new EdgeError('robot.preempted', {
        ...{ ...what, message: 'the robot was stopped after this was asked for' },
        hint: 'send it again if it is still wanted',
      });
    isGiven = true;
    const given = await give(wanted.atMs);
    if (isGone || reply.raw.destroyed) hangUp.after?.(given);
    return given;
  } finally {
    reply.raw.off('close', gone);
  }
}
