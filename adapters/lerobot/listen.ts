import type { Server } from 'node:net';
import { EdgeError } from '../../contract/core.ts';

/** Rejects with `host.port_in_use`, or `internal.fault` where the address cannot be had. */
export function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new EdgeError(cause.code === 'EADDRINUSE' ? 'host.port_in_use' : 'internal.fault', {
          operation: 'listen',
          subject: `${host}:${port}`,
          message: `LeRobot: ${cause.message}`,
          hint: 'choose another serve.lerobot_listen',
          cause,
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
}
