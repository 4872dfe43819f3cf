import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const peers = join(import.meta.dirname, '..', 'peers');

/** A folder with bwrap, crun and runc; installs them where `npm test` has not yet. */
export function sandboxPrograms(): string {
  return execFileSync('bash', [join(peers, 'sandbox.sh')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}
