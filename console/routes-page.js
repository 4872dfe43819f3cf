/** The data plane: routes, and the loss ledger of each topic and hop. Live while it is shown, trouble first. */
import { forever, read } from './api.js';
import { at, bytes, count, duration, element, number, say } from './elements.js';
import { addPage, shown } from './pages.js';
import { dropsText, ledgerText, RouteBook } from './route-book.js';

const LOOK_MS = 1000;
/** Rows of one table; who has more narrows them down. */
const ROWS_MAX = 1000;
const MARKS = {
  balances: '✓ balances',
  'on the way': '… on the way',
  'does not balance': '✗ does not balance',
};
const LOOKS = { balances: 'figure ok', 'on the way': 'figure', 'does not balance': 'bad' };

const ROUTE_CELLS = [
  (row) => [row.key],
  (row) => [row.verdict === row.state ? row.state : `${row.state}, ${row.verdict}`, lookOf(row)],
  (row) => [
    [row.reason, row.rebuilds > 0 ? `rebuilt ${row.rebuilds} times` : ''].filter(Boolean).join('; '),
    row.reason ? 'reason' : '',
  ],
  (row) => [row.direction, 'figure'],
  (row) => [`${number(row.hz, 1)} Hz`, 'figure'],
  (row) => [row.bytesPerSecond === undefined ? '–' : `${bytes(row.bytesPerSecond)}/s`, 'figure'],
  (row) => [row.ageMs === null ? 'none yet' : duration(row.ageMs), 'figure'],
  (row) => [count(row.queued), 'figure'],
  (row) => [dropsText(row.dropped) || 'none', row.verdict === 'losing' ? 'bad' : ''],
  (row) => [ledgerText(row.ledger), 'figure'],
  (row) => [MARKS[row.balance], LOOKS[row.balance]],
  (row) => [`${row.from} → ${row.to}`, 'way'],
];
const TOPIC_CELLS = [
  (row) => [row.topic],
  (row) => [row.hop],
  (row) => [row.hz === undefined ? '–' : `${number(row.hz, 1)} Hz`, 'figure'],
  (row) => [ledgerText(row.ledger), 'figure'],
  (row) => [MARKS[row.balance], LOOKS[row.balance]],
  (row) => [dropsText(row.dropped) || 'none', row.verdict === 'losing' ? 'bad' : ''],
];

const lookOf = ({ verdict, trouble }) => (trouble ? 'bad' : verdict === 'up' ? 'ok' : '');
const book = new RouteBook();
const tables = {
  routes: { body: at('routes'), cells: ROUTE_CELLS, kept: new Map() },
  topics: { body: at('topics'), cells: TOPIC_CELLS, kept: new Map() },
};
let told = { routes: [], topics: [] };
let lookedAt;

/** Rows are kept by name and moved, never made again: a reader in the middle of one stays there. */
function show(table, rows) {
  const names = new Set(rows.map(({ key }) => key));
  for (const [key, line] of table.kept) if (!names.has(key)) line.remove();
  const next = new Map();
  let place = table.body.firstElementChild;
  for (const row of rows) {
    const line = table.kept.get(row.key) ?? newLine(table.cells.length);
    next.set(row.key, line);
    line.className = row.trouble ? 'trouble' : '';
    table.cells.forEach((cell, i) => {
      const [text, look] = cell(row);
      say(line.children[i], text, look);
    });
    if (line === place) place = place.nextElementSibling;
    else table.body.insertBefore(line, place);
  }
  table.kept = next;
}

function newLine(cells) {
  const line = document.createElement('tr');
  const name = element('th');
  name.scope = 'row';
  line.append(name, ...Array.from({ length: cells - 1 }, () => element('td')));
  return line;
}

function narrow() {
  const words = at('routes-filter').value.trim().toLowerCase();
  const onlyTrouble = at('routes-trouble').checked;
  const fits = (row) =>
    (!onlyTrouble || row.trouble) &&
    [row.key, row.topic, row.hop, row.from, row.to, row.state].some((text) =>
      text?.toLowerCase().includes(words),
    );
  const [routes, topics] = [told.routes.filter(fits), told.topics.filter(fits)];
  show(tables.routes, routes.slice(0, ROWS_MAX));
  show(tables.topics, topics.slice(0, ROWS_MAX));
  const none =
    told.routes.length === 0 ? 'No routes: [[routes]] in the configuration, see docs/routes.md.' : '';
  say(at('routes-empty'), none || (routes.length === 0 ? 'No route is like this.' : beyond(routes)));
  const unheard = told.topics.length === 0 ? 'Nothing was received yet.' : '';
  say(at('topics-empty'), unheard || (topics.length === 0 ? 'No topic is like this.' : beyond(topics)));
  at('routes-table').hidden = routes.length === 0;
  at('topics-table').hidden = topics.length === 0;
}

const beyond = ({ length }) =>
  length > ROWS_MAX ? `The first ${count(ROWS_MAX)} of ${count(length)}: narrow them down.` : '';

function summary({ routes, topics }) {
  const bad = routes.filter(({ trouble }) => trouble).length;
  const loose = topics.filter(({ balance }) => balance === 'does not balance').length;
  const some = (n, what) => `${count(n)} ${what}${n === 1 ? '' : 's'}`;
  return [
    bad === 0
      ? `${some(routes.length, 'route')}, none in trouble`
      : `${bad} of ${some(routes.length, 'route')} in trouble`,
    loose === 0
      ? `${some(topics.length, 'line')} of the ledger, all accounted for`
      : `${loose} of ${some(topics.length, 'line')} of the ledger not accounted for`,
  ].join('; ');
}

/** A caller that comes during a look waits for that look: until its answer nothing is shown as new. */
let looking;
async function look() {
  if (shown().name !== 'routes') return;
  looking ??= lookNow().finally(() => {
    looking = undefined;
  });
  await looking;
}

async function lookNow() {
  told = book.take(await read('/v1/routes'), performance.now());
  lookedAt = new Date();
  narrow();
}

function state(error) {
  if (shown().name !== 'routes') return;
  const [note, tablesPart] = [at('routes-note'), at('routes-all')];
  tablesPart.classList.toggle('old', error !== undefined);
  const since = lookedAt ? `; as of ${lookedAt.toLocaleTimeString()}` : '';
  if (error) return say(note, `not known: ${error.message}${since}`, 'bad');
  if (lookedAt) say(note, summary(told), told.routes.some(({ trouble }) => trouble) ? 'bad' : 'ok');
}

export function routesPage() {
  addPage('routes', () => void look().then(() => state(undefined), state));
  at('routes-filter').addEventListener('input', narrow);
  at('routes-trouble').addEventListener('change', narrow);
  void forever(look, LOOK_MS, state);
}
