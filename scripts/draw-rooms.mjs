// Draws the rooms of a tree and what imports what, as an SVG: node scripts/draw-rooms.mjs [--tree COMMIT] OUT.svg
// A room is a folder of the list below. Rooms stand above all that they import; an arrow that points up is red.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: { tree: { type: 'string', default: 'HEAD' } },
  allowPositionals: true,
});
const [out] = positionals;
if (out === undefined) throw new Error('say where to: node scripts/draw-rooms.mjs [--tree COMMIT] OUT.svg');

const git = (...args) => execFileSync('git', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
const SOURCE = /\.(?:ts|tsx|mjs|js)$/;
const TOP = [
  'adapters',
  'apps',
  'central',
  'central-link',
  'cli',
  'contract',
  'formats',
  'history',
  'io',
  'sim',
];
const DAEMON_PART = /^daemon\/(?:runtime\/)?[a-z-]+(?=\/)/;

/** Of a file; undefined: it belongs to no room (tests, scripts). */
function roomOf(file) {
  const part = DAEMON_PART.exec(file);
  if (part) return part[0];
  if (file.startsWith('daemon/')) return 'daemon';
  const top = file.split('/')[0];
  return TOP.includes(top) ? top : undefined;
}

const files = git('ls-tree', '-r', '--name-only', values.tree)
  .split('\n')
  .filter((file) => SOURCE.test(file) && roomOf(file) !== undefined);
const batch = execFileSync('git', ['cat-file', '--batch'], {
  input: files.map((file) => `${values.tree}:${file}\n`).join(''),
  maxBuffer: 1 << 28,
});
const rooms = new Map();
const arrows = new Map();
let at = 0;
for (const file of files) {
  const end = batch.indexOf(10, at);
  const size = Number(batch.subarray(at, end).toString().split(' ')[2]);
  const text = batch.subarray(end + 1, end + 1 + size).toString();
  at = end + size + 2;
  const room = roomOf(file);
  rooms.set(room, (rooms.get(room) ?? 0) + 1);
  for (const [, target] of text.matchAll(/(?:from|import\()\s*'(\.{1,2}\/[^']+)'/g)) {
    const other = roomOf(normalize(join(dirname(file), target)));
    if (other === undefined || other === room) continue;
    const key = `${room} ${other}`;
    arrows.set(key, (arrows.get(key) ?? 0) + 1);
  }
}

/** The arrows without the fewest that make circles, so that there is an order from top to bottom. */
const weak = new Set();
const imports = (room) =>
  [...arrows.keys()]
    .filter((key) => !weak.has(key) && key.startsWith(`${room} `))
    .map((key) => key.split(' ')[1]);
function circle() {
  const state = new Map();
  const walk = (room, path) => {
    state.set(room, 'open');
    for (const other of imports(room)) {
      const next = [...path, `${room} ${other}`];
      if (state.get(other) === 'open')
        return next.slice(next.findIndex((key) => key.startsWith(`${other} `)));
      const found = state.has(other) ? undefined : walk(other, next);
      if (found) return found;
    }
    state.set(room, 'done');
    return undefined;
  };
  for (const room of rooms.keys()) {
    const found = state.has(room) ? undefined : walk(room, []);
    if (found) return found;
  }
  return undefined;
}
for (let found = circle(); found; found = circle())
  weak.add(found.reduce((least, key) => (arrows.get(key) < arrows.get(least) ? key : least)));

const heights = new Map();
const heightOf = (room) => {
  if (!heights.has(room)) heights.set(room, Math.max(-1, ...imports(room).map(heightOf)) + 1);
  return heights.get(room);
};
const layers = Map.groupBy([...rooms.keys()].sort(), heightOf);
const [WIDTH, ROW] = [1180, 78];
const levels = [...layers.keys()].sort((a, b) => b - a);
const places = new Map();
for (const [row, level] of levels.entries()) {
  const here = layers.get(level);
  for (const [i, room] of here.entries())
    places.set(room, {
      x: ((i + 0.5 + (row % 2) * 0.12) * WIDTH) / (here.length + 0.12),
      y: 40 + row * ROW,
      box: Math.min(128, WIDTH / (here.length + 0.12) - 6),
    });
}
const shown = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const lines = [...arrows].map(([key, count]) => {
  const [from, to] = key.split(' ').map((room) => places.get(room));
  const up = weak.has(key);
  const width = Math.min(4, 0.5 + Math.log10(count)).toFixed(1);
  return `<path class="${up ? 'up' : 'a'}" stroke-width="${up ? 2 : width}" d="M${from.x.toFixed(0)},${from.y + (up ? -15 : 15)} L${to.x.toFixed(0)},${to.y + (up ? 17 : -17)}"><title>${key.replace(' ', ' imports ')}: ${count}</title></path>`;
});
const boxes = [...places].map(([room, { x, y, box }]) => {
  const label = room.replace('daemon/runtime/', 'runtime/').replace('daemon/', '');
  return `<g><rect class="r" x="${(x - box / 2).toFixed(0)}" y="${y - 15}" width="${box.toFixed(0)}" height="30" rx="4"/><text x="${x.toFixed(0)}" y="${y - 1}">${shown(label)}</text><text class="s" x="${x.toFixed(0)}" y="${y + 11}">${rooms.get(room)} files</text></g>`;
});
const height = 40 + levels.length * ROW;
writeFileSync(
  out,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12" text-anchor="middle">
<style>.bg{fill:#fff}.r{fill:#eef4fb;stroke:#2f6db5}.a{stroke:#8a8a85;opacity:.45}.up{stroke:#c22f2f}.s{fill:#55565a;font-size:9px}text{fill:#1b1b1b}</style>
<rect class="bg" width="${WIDTH}" height="${height}"/>
${lines.join('\n')}
${boxes.join('\n')}
</svg>
`,
);
const ups = [...weak].map((key) => `${key.replace(' ', ' imports ')} (${arrows.get(key)})`);
console.log(
  `${rooms.size} rooms, ${arrows.size} arrows, ${weak.size} up${ups.length > 0 ? `: ${ups.join(', ')}` : ''}`,
);
