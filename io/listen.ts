import type { AddressInfo, Server } from 'node:net';
import { EdgeError } from '../contract/core.ts';

export type ListenWords = {
  /** What listens, as messages name it. */
  readonly who: string;
  /** What an operator can do where the address is not available. */
  readonly hint: string;
  readonly operation?: string;
};

/**
 * Settles when clients can connect. `port` 0: a free port; `path`: a unix socket. Rejects with `host.port_in_use`, and
 * with `internal.fault` where the address is not available for another reason; the server may then try again. A server
 * that listens has faults too, for example while this process has no file descriptor left for a new connection: it
 * keeps listening.
 */
export function listen(
  server: Server,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
  words: ListenWords,
): Promise<void> {
  const address = 'path' in where ? where.path : `${where.host}:${where.port}`;
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) => {
      if (server.listening) return;
      server.off('error', failed).off('listening', listens);
      reject(listenFault(cause, address, words));
    };
    const listens = () => resolve();
    server.on('error', failed).once('listening', listens);
    server.listen(where);
  });
}

/** Why an address is not available; for servers that do not listen by `node:net`. */
export function listenFault(cause: unknown, address: string, words: ListenWords): EdgeError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new EdgeError(code === 'EADDRINUSE' ? 'host.port_in_use' : 'internal.fault', {
    operation: words.operation ?? 'listen',
    subject: address,
    message: `${words.who}: ${message}`,
    hint: words.hint,
    cause,
  });
}

/** The address of a server that listens, for a browser or a client. */
export function urlOf(server: Pick<Server, 'address'>): string {
  const { family, address, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
