import { type Clock, EdgeError } from '../../contract/core.ts';

/**
 * Opens a WebSocket to the bridge and closes it again. Rejects with `zenoh.failed` when no bridge answers there
 * within `ms`. zenoh-ts itself would try ten times with growing pauses, and has no way to stop.
 */
export function probeBridge(url: string, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (message: string) => {
      timer.cancel();
      socket?.close();
      reject(unreachable(url, message));
    };
    const timer = clock.after(ms, () => fail(`no answer within ${ms} ms`));
    let socket: WebSocket | undefined;
    try {
      socket = new WebSocket(url);
    } catch (thrown) {
      return fail(thrown instanceof Error ? thrown.message : String(thrown));
    }
    socket.addEventListener('open', () => {
      timer.cancel();
      socket.close();
      resolve();
    });
    socket.addEventListener('error', () => fail('no server accepts a WebSocket there'));
    socket.addEventListener('close', () => fail('the connection was closed'));
  });
}

export function unreachable(url: string, message: string): EdgeError {
  return new EdgeError('zenoh.failed', {
    operation: 'reach the remote-api bridge',
    subject: url,
    message,
    hint: 'start zenoh-bridge-remote-api (or zenohd with its remote_api plugin), or correct zenoh.remote_url',
    retryable: true,
  });
}
