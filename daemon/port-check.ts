import { createServer } from 'node:net';
import { type Clock, EdgeError, pause } from '../contract/core.ts';

const LOOK_MS = 100;

/** Whether somebody could listen there now. Port 0 always can. */
export async function isPortFree(host: string, port: number): Promise<boolean> {
  return port === 0 || (await listenFault(host, port)) === undefined;
}

/**
 * Rejects with `host.port_in_use` before anything is started where the API could not listen. `patienceMs`: what
 * a former daemon of this directory that was killed may need to release it. An address that this host does not have
 * (yet) is no fault here: networks come later, and the API tries again.
 */
export async function requireFreePort(
  { host, port }: { readonly host: string; readonly port: number },
  clock: Clock,
  patienceMs: number,
): Promise<void> {
  const end = clock.monotonicMs() + patienceMs;
  for (;;) {
    const code = port === 0 ? undefined : await listenFault(host, port);
    if (code !== 'EADDRINUSE' && code !== 'EACCES') return;
    if (code === 'EACCES' || clock.monotonicMs() >= end) throw taken(host, port, code);
    await pause(clock, LOOK_MS);
  }
}

function listenFault(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

function taken(host: string, port: number, code: string): EdgeError {
  return new EdgeError('host.port_in_use', {
    operation: 'open API',
    subject: `${host}:${port}`,
    message:
      code === 'EACCES'
        ? `port ${port} of ${host} needs rights this user lacks`
        : `port ${port} of ${host} is taken by another program`,
    hint: 'set api.port to another port (0 picks a free one), or stop the other program: ss -ltnp',
  });
}
