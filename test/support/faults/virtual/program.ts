import { openRobot, type Robot } from '../../../../cli/sdk/index.ts';
import { request } from './api-routes.ts';
import type { VirtualDaemon } from './daemon.ts';

/** Daemons of trials by the name of their host. */
const hosts = new Map<string, VirtualDaemon>();
let opened = 0;
let isPatched = false;

/** Requests to the hosts of trials reach their daemon in memory; every other one goes where it went before. */
function patchFetch(): void {
  if (isPatched) return;
  isPatched = true;
  const { fetch } = globalThis;
  globalThis.fetch = (async (to: URL | string, init: RequestInit = {}) => {
    const url = new URL(String(to));
    if (!url.hostname.endsWith('.trial.invalid')) return await fetch(to, init);
    const daemon = hosts.get(url.hostname);
    if (!daemon) throw new TypeError('the trial is over');
    const { signal } = init;
    const gone = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    const { status, body } = await Promise.race([
      gone,
      request(daemon, {
        method: init.method === 'POST' ? 'POST' : 'GET',
        url: `${url.pathname}${url.search}`,
        ...(typeof init.body === 'string' ? { body: init.body } : {}),
      }),
    ]);
    return new Response(body, { status, headers: { 'content-type': 'application/json' } });
  }) as typeof globalThis.fetch;
}

/** The robot of a trial as a program has it by `auraison-edge/sdk`. It is gone with the trial. */
export async function robotOf(daemon: VirtualDaemon): Promise<Robot> {
  patchFetch();
  const host = `r${++opened}.trial.invalid`;
  hosts.set(host, daemon);
  daemon.supervisor.onKill(() => hosts.delete(host));
  return await openRobot({ url: `http://${host}`, token: 'of the program', dataDir: daemon.dataDir });
}
