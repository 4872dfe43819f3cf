import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../daemon.ts';
import type { Mover, RealStage } from './real-stage.ts';

/** Only what is given names a daemon. */
const NAMED = ['AURAISON_URL', 'AURAISON_TOKEN', 'AURAISON_DAEMON_DATA_DIR', 'STATE_DIRECTORY'];

/** A program by the Python client, in a process of its own, that asks for motions or steers. */
export async function pythonProgram({ daemon }: RealStage, kind: 'asks' | 'steers'): Promise<Mover> {
  const token = readFileSync(join(daemon.dataDir, 'token'), 'utf8').trim();
  const script = join(import.meta.dirname, 'python_mover.py');
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !NAMED.includes(name)));
  const child = spawn(
    'python3',
    ['-W', 'ignore', script, kind, String(new URL('/', daemon.api.url)), token],
    {
      stdio: ['pipe', 'ignore', 'inherit'],
      env: { ...env, PYTHONPATH: join(ROOT, 'clients', 'python'), PYTHONDONTWRITEBYTECODE: '1' },
    },
  );
  await once(child, 'spawn');
  // It may be gone when it is told.
  child.stdin.on('error', () => {});
  let isOver = false;
  return {
    pid: child.pid!,
    end() {
      if (!isOver) child.stdin.write('\n');
      isOver = true;
    },
    close: () => void child.kill('SIGKILL'),
  };
}
