import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';

const SCRIPT = join(import.meta.dirname, '../peers/zenoh.sh');

/** Paths that `test/peers/zenoh.sh` fills; it has run before the integration tests do. */
export function zenohPeers(): { addon: string; python: string; zenohd: string; bridge: string } {
  const lines = execFileSync(SCRIPT, ['paths'], { encoding: 'utf8' }).trim().split('\n');
  const entries = Object.fromEntries(
    lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );
  const path = (name: string) => entries[name] ?? '';
  return {
    addon: path('addon'),
    python: path('python'),
    zenohd: path('zenohd'),
    bridge: path('bridge'),
  };
}

/** A TCP port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
