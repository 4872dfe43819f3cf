/** Lowers the budgets of private words to what is there now: `node scripts/word-budgets.ts`. It never raises one. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { countWords, PRIVATE_WORDS, roomOf } from '../test/support/word-list.ts';

const root = join(import.meta.dirname, '..');
const path = join(root, 'test', 'support', 'word-budgets.json');
const names = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })
  .split('\n')
  .filter((name) => name !== '' && roomOf(name) !== undefined);
const counts = countWords(names.map((name) => [name, readFileSync(join(root, name), 'utf8')] as const));
const budgets = JSON.parse(readFileSync(path, 'utf8')) as typeof counts;

const lowered: typeof counts = {};
for (const { word } of PRIVATE_WORDS) {
  const rooms = Object.entries(budgets[word] ?? {})
    .map(([room, budget]) => [room, Math.min(budget, counts[word]?.[room] ?? 0)] as const)
    .filter(([, budget]) => budget > 0);
  if (rooms.length > 0) lowered[word] = Object.fromEntries(rooms.sort(([a], [b]) => (a < b ? -1 : 1)));
}
writeFileSync(path, `${JSON.stringify(lowered, undefined, 2)}\n`);
