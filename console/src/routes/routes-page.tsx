/** The data plane: routes, and the loss ledger of each topic and hop. Live while it is shown, trouble first. */
import { memo, useState } from 'react';
import { read } from '../lib/api.ts';
import { bytes, count, duration, number } from '../lib/format.ts';
import { usePolled } from '../lib/polled.ts';
import { ScrollFrame } from '../lib/scroll-frame.tsx';
import {
  type Balance,
  dropsText,
  ledgerText,
  RouteBook,
  type RouteRow,
  type Rows,
  type TopicRow,
} from './route-book.ts';

const LOOK_MS = 1000;
/** Rows of one table; a person who has more narrows them down. */
const ROWS_MAX = 1000;
const MARKS: Readonly<Record<Balance, readonly [text: string, look: string]>> = {
  balances: ['✓ balances', 'figure ok'],
  'on the way': ['… on the way', 'figure'],
  'does not balance': ['✗ does not balance', 'bad'],
};
const NO_ROWS: Rows = { routes: [], topics: [] };
/** Rates are from one answer to the next, also after the page was left and came back. */
const book = new RouteBook();

type Cells = readonly (readonly [text: string, look?: string])[];

function routeCells(row: RouteRow): Cells {
  const rebuilt = row.rebuilds > 0 ? `rebuilt ${row.rebuilds} times` : '';
  const look = row.trouble ? 'bad' : row.verdict === 'up' ? 'ok' : '';
  return [
    [row.verdict === row.state ? row.state : `${row.state}, ${row.verdict}`, look],
    [[row.reason, rebuilt].filter(Boolean).join('; '), row.reason ? 'reason' : ''],
    [row.direction, 'figure'],
    [`${number(row.hz, 1)} Hz`, 'figure'],
    [row.bytesPerSecond === undefined ? '–' : `${bytes(row.bytesPerSecond)}/s`, 'figure'],
    [row.ageMs === null ? 'none yet' : duration(row.ageMs), 'figure'],
    [count(row.queued), 'figure'],
    [dropsText(row.dropped) || 'none', row.verdict === 'losing' ? 'bad' : ''],
    [ledgerText(row.ledger), 'figure'],
    MARKS[row.balance],
    [`${row.from} → ${row.to}`, 'way'],
  ];
}

function topicCells(row: TopicRow): Cells {
  return [
    [row.hop],
    [row.hz === undefined ? '–' : `${number(row.hz, 1)} Hz`, 'figure'],
    [ledgerText(row.ledger), 'figure'],
    MARKS[row.balance],
    [dropsText(row.dropped) || 'none', row.verdict === 'losing' ? 'bad' : ''],
  ];
}

/** Drawn again only where something changed: five hundred rows a second cost nothing where they stand. */
const Line = memo(function Line(props: { head: string; trouble: boolean; cells: string }) {
  const cells = JSON.parse(props.cells) as Cells;
  return (
    <tr className={props.trouble ? 'trouble' : ''}>
      <th scope="row">{props.head}</th>
      {cells.map(([text, look], i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a cell is its column
        <td key={i} className={look || undefined}>
          {text}
        </td>
      ))}
    </tr>
  );
});

export default function RoutesPage() {
  const { data, error, old, asOf } = usePolled<Rows>('/v1/routes', LOOK_MS, {
    ask: async (signal) => book.take(await read('/v1/routes', undefined, signal), performance.now()),
  });
  const [words, setWords] = useState('');
  const [onlyTrouble, setOnlyTrouble] = useState(false);
  const { routes, topics } = data ?? NO_ROWS;
  const wanted = words.trim().toLowerCase();
  const fits = (row: RouteRow | TopicRow, texts: readonly string[]) =>
    (!onlyTrouble || row.trouble) && texts.some((text) => text.toLowerCase().includes(wanted));
  const shownRoutes = routes.filter((row) => fits(row, [row.key, row.from, row.to, row.state]));
  const shownTopics = topics.filter((row) => fits(row, [row.key, row.topic, row.hop]));
  const since = asOf ? `; as of ${asOf.toLocaleTimeString()}` : '';
  const trouble = routes.some((row) => row.trouble);
  const note = error ? `not known: ${error.message}${since}` : data ? summary(data) : 'reading';
  return (
    <div className="page" id="page-routes">
      <section className="wide" aria-labelledby="routes-title">
        <h2 id="routes-title" tabIndex={-1}>
          Routes
        </h2>
        <p
          id="routes-note"
          role="status"
          aria-live="polite"
          className={error || trouble ? 'bad' : data ? 'ok' : ''}
        >
          {note}
        </p>
        <form id="routes-form" onSubmit={(event) => event.preventDefault()}>
          <label htmlFor="routes-filter">Narrow down</label>
          <input
            id="routes-filter"
            type="search"
            autoComplete="off"
            spellCheck={false}
            placeholder="name, topic, key, state"
            value={words}
            onChange={(event) => setWords(event.target.value)}
          />
          <label>
            <input
              id="routes-trouble"
              type="checkbox"
              checked={onlyTrouble}
              onChange={(event) => setOnlyTrouble(event.target.checked)}
            />{' '}
            only trouble
          </label>
        </form>
      </section>
      <div id="routes-all" className={old ? 'old' : ''}>
        <section className="wide" aria-labelledby="routes-table-title">
          <h3 id="routes-table-title">Routes, trouble first</h3>
          <p id="routes-empty">
            {!data
              ? ''
              : routes.length === 0
                ? 'No routes: [[routes]] in the configuration, see docs/routes.md.'
                : beyond(shownRoutes.length, 'No route is like this.')}
          </p>
          <Table id="routes" name="table of routes" heads={ROUTE_HEADS} isEmpty={shownRoutes.length === 0}>
            {shownRoutes.slice(0, ROWS_MAX).map((row) => (
              <Line
                key={row.key}
                head={row.key}
                trouble={row.trouble}
                cells={JSON.stringify(routeCells(row))}
              />
            ))}
          </Table>
        </section>
        <section className="wide" aria-labelledby="topics-table-title">
          <h3 id="topics-table-title">Loss ledger of each topic and hop</h3>
          <p id="topics-empty">
            {!data
              ? ''
              : topics.length === 0
                ? 'Nothing was received yet.'
                : beyond(shownTopics.length, 'No topic is like this.')}
          </p>
          <Table
            id="topics"
            name="table of the loss ledger"
            heads={TOPIC_HEADS}
            isEmpty={shownTopics.length === 0}
          >
            {shownTopics.slice(0, ROWS_MAX).map((row) => (
              <Line
                key={row.key}
                head={row.topic}
                trouble={row.trouble}
                cells={JSON.stringify(topicCells(row))}
              />
            ))}
          </Table>
        </section>
      </div>
    </div>
  );
}

const SUM = 'received = forwarded + written + dropped';
const ROUTE_HEADS = [
  ...['route', 'state', 'reason', 'direction', 'rate', 'bytes', 'newest', 'queued', 'dropped', SUM],
  ...['ledger', 'way'],
];
const TOPIC_HEADS = ['topic', 'hop', 'rate', SUM, 'ledger', 'dropped'];

function Table(props: {
  id: string;
  name: string;
  heads: readonly string[];
  isEmpty: boolean;
  children: React.ReactNode;
}) {
  return (
    <ScrollFrame id={`${props.id}-table`} label={props.name} hidden={props.isEmpty}>
      <table className="many">
        <thead>
          <tr>
            {props.heads.map((head) => (
              <th key={head} scope="col" className={head === SUM ? 'sum' : undefined}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody id={props.id}>{props.children}</tbody>
      </table>
    </ScrollFrame>
  );
}

function beyond(shown: number, none: string): string {
  if (shown === 0) return none;
  return shown > ROWS_MAX ? `The first ${count(ROWS_MAX)} of ${count(shown)}: narrow them down.` : '';
}

function summary({ routes, topics }: Rows): string {
  const bad = routes.filter(({ trouble }) => trouble).length;
  const loose = topics.filter(({ balance }) => balance === 'does not balance').length;
  const some = (n: number, what: string) => `${count(n)} ${what}${n === 1 ? '' : 's'}`;
  return [
    bad === 0
      ? `${some(routes.length, 'route')}, none in trouble`
      : `${bad} of ${some(routes.length, 'route')} in trouble`,
    loose === 0
      ? `${some(topics.length, 'line')} of the ledger, all accounted for`
      : `${loose} of ${some(topics.length, 'line')} of the ledger not accounted for`,
  ].join('; ');
}
