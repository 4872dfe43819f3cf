import { Readable } from 'node:stream';
import { EdgeError, LIMITS, type RunToken } from '../../contract/index.ts';
import type { HttpPorts } from './http-ports.ts';

/**
 * Text of an agent while it comes, a line of JSON a piece. A client that takes nothing loses the oldest pieces and
 * gets `{"kind":"gap"}` in their place. An empty line each few seconds shows that the stream lives. Throws
 * `cell.overloaded` where too many watch.
 */
export function tokenLines({ tokens, clock }: Pick<HttpPorts, 'tokens' | 'clock'>, runId: string): Readable {
  const waiting: string[] = [];
  let bytes = 0;
  const stream = new Readable({ encoding: 'utf8', highWaterMark: 16_384, read: () => flow() });
  const flow = () => {
    while (waiting.length > 0) {
      const line = waiting.shift()!;
      bytes -= line.length;
      if (!stream.push(line)) return;
    }
  };
  const add = (line: string) => {
    waiting.push(line);
    bytes += line.length;
    if (bytes > LIMITS.CHAT_UNREAD_BYTES_MAX) {
      waiting.splice(0, waiting.length, '{"kind":"gap"}\n');
      bytes = waiting[0]!.length;
    }
    if (stream.readableLength < stream.readableHighWaterMark) flow();
  };
  const leave = tokens?.watch(runId, (token: RunToken) => add(`${JSON.stringify(token)}\n`));
  if (!leave)
    throw new EdgeError('cell.overloaded', {
      operation: 'stream tokens',
      subject: runId,
      message: tokens ? 'too many clients watch already' : 'there are no agents here',
    });
  let over = false;
  const beat = () => {
    if (over) return;
    add('\n');
    clock.after(LIMITS.STREAM_HEARTBEAT_MS, beat);
  };
  stream.once('close', () => {
    over = true;
    leave();
  });
  beat();
  return stream;
}
