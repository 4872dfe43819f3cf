import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

let python: string | undefined;

/** The Python of stock LeRobot; installs it where `npm test` has not yet. */
export function lerobotPython(): string {
  python ??= join(
    execFileSync('bash', [join(import.meta.dirname, '..', 'peers', 'lerobot.sh')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }).trim(),
    'bin',
    'python',
  );
  return python;
}
