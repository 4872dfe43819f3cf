// Installs the peers that the tests need: each test/peers/*.sh that is not a library.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../install.mjs';

/** The slow builds first. */
const ORDER = ['ros.sh', 'zenoh.sh', 'zenohd.sh'];
const rank = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);

/** Two at a time: they download and compile by turns, and there may be no more than two cores. Returns what failed. */
export async function installPeers(env, say) {
  const folder = join(root, 'test', 'peers');
  const scripts = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.sh') && !name.startsWith('lib'))
    : [];
  scripts.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  say(
    `peers for the tests, kept in ${env.AURAISON_CACHE}: ${scripts.map((name) => name.replace('.sh', '')).join(', ')}`,
  );
  const waiting = [...scripts];
  const failures = [];
  await Promise.all(
    [0, 1].map(async () => {
      for (let name = waiting.shift(); name; name = waiting.shift()) {
        const started = Date.now();
        const code = await runScript(join(folder, name), name.replace('.sh', ''), env, say);
        say(
          `peer ${name.replace('.sh', '')}: ${code === 0 ? 'ready' : `FAILED (exit ${code})`} after ${((Date.now() - started) / 1000).toFixed(0)} s`,
        );
        if (code !== 0) failures.push(name);
      }
    }),
  );
  return failures;
}

function runScript(path, label, env, say) {
  return new Promise((resolve) => {
    const child = spawn('bash', [path], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const tail = [];
    const line = (text) => {
      for (const part of String(text).split('\n')) {
        if (part.trim() === '') continue;
        tail.push(part);
        if (tail.length > 60) tail.shift();
        // The scripts mark what people want to follow.
        if (part.startsWith(`${label}:`) || part.startsWith(`[${label}]`)) say(part);
      }
    };
    child.stdout.on('data', line);
    child.stderr.on('data', line);
    child.on('error', () => resolve(127));
    child.on('exit', (code) => {
      if (code !== 0) say(tail.map((part) => `[${label}] ${part}`).join('\n'));
      resolve(code ?? 1);
    });
  });
}
