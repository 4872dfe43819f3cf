import type { IncomingMessage } from 'node:http';
import { type Clock, LIMITS } from '../../contract/index.ts';

/** `longer`: than the limit; `broken`: the connection ended before the body; `late`: the rest did not come in time. */
export type BodyEnd = 'whole' | 'longer' | 'broken' | 'late';

export type ReadBody = {
  /** Its first `bytesMax` bytes, and of a longer one the last bytes that came. */
  readonly bytes: Buffer;
  readonly end: BodyEnd;
};

/** What a body that is too long says at its end may count too. */
const TAIL_BYTES = 4_096;
/** A body is not read any further than its limit times this. */
const LONGEST = 8;

/**
 * Reads the body of a request, whatever its headers say of it. Never rejects. `suffices` says whether what has come is enough,
 * so that the rest is not waited for: after `STOP_BODY_MS`, again after twice that time and so on, and where it is too long.
 * A body that never suffices is waited for until its connection ends, and read up to eight times its limit.
 */
export function readBody(
  request: IncomingMessage,
  clock: Clock,
  bytesMax: number,
  suffices: (bytes: Buffer) => boolean,
): Promise<ReadBody> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let size = 0;
    let tail = Buffer.alloc(0);
    const bytes = () => Buffer.concat([...pieces, tail]);
    const finish = (end: BodyEnd) => {
      timer.cancel();
      request.off('data', take).off('end', whole).off('error', broken).off('close', broken);
      request.pause();
      resolve({ bytes: bytes(), end });
    };
    const take = (piece: Buffer) => {
      const room = Math.max(0, bytesMax - size);
      if (room > 0) pieces.push(piece.subarray(0, room));
      const before = size;
      size += piece.length;
      if (size <= bytesMax) return;
      tail = Buffer.concat([tail, piece.subarray(room)]).subarray(-TAIL_BYTES);
      const isFirst = before <= bytesMax;
      if (size > bytesMax * LONGEST || (isFirst && suffices(bytes()))) finish('longer');
    };
    const ended = (end: BodyEnd) => finish(size > bytesMax ? 'longer' : end);
    const whole = () => ended('whole');
    const broken = () => ended('broken');
    let waitMs: number = LIMITS.STOP_BODY_MS;
    const look = () => {
      if (suffices(bytes())) return ended('late');
      // Many slow clients cost little: each is looked at a few times.
      waitMs *= 2;
      timer = clock.after(waitMs, look);
    };
    let timer = clock.after(waitMs, look);
    request.on('data', take).on('end', whole).on('error', broken).on('close', broken);
  });
}
