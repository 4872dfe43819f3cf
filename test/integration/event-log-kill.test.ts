import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { logPath, openEventReader, verifyLogFile } from '../../adapters/event-log/index.ts';

const KILLS = 20;
const APPENDER = new URL('../support/log-appender.ts', import.meta.url).pathname;

/** Runs an appender until it acknowledged `lines` events, then kills it; every line is an acknowledgement. */
async function runAndKill(dataDir: string, thread: string, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [APPENDER, dataDir, 'runtime', thread, '7'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  let seen = 0;
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (piece: string) => {
    text += piece;
    seen += piece.split('\n').length - 1;
    if (seen > lines) child.kill('SIGKILL');
  });
  const signal = await new Promise((resolve) => child.once('close', (_, how) => resolve(how)));
  expect(signal).toBe('SIGKILL');
  return text.slice(0, text.lastIndexOf('\n')).split('\n');
}

it(`kill -9 of a writer ${KILLS} times: nothing acknowledged is lost, the chain holds`, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'auraison-kill-'));
  try {
    const acknowledged = new Map<number, string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const thread = kill % 2 === 0 ? 'worker' : 'caller';
      for (const line of await runAndKill(dataDir, thread, 20 + 37 * kill)) {
        const [seq, hash] = line.split(' ') as [string, string];
        if (seq !== 'open') acknowledged.set(Number(seq), hash);
      }
      const verdict = verifyLogFile(logPath(dataDir, 'runtime'));
      expect(verdict.fault, `after kill ${kill + 1}`).toBeUndefined();
    }
    const reader = openEventReader(dataDir, 'runtime');
    const stored = new Map<number, string>();
    for (let after = 0; ; ) {
      const events = reader.read(after, 1000);
      if (events.length === 0) break;
      for (const event of events) stored.set(event.seq, event.hash);
      after = events.at(-1)!.seq;
    }
    const lost = [...acknowledged].filter(([seq, hash]) => stored.get(seq) !== hash);
    expect(lost).toEqual([]);
    expect(acknowledged.size).toBeGreaterThan(KILLS * 100);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
