/** Columns of an answer as lines over another column. */
import { useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useDark } from '../lib/theme.ts';
import { colourOf, dashOf } from '../see/plots/colours.ts';
import { type Answer, type Column, isDrawable, isTime, numberOf } from './rows.ts';

const HEIGHT = 280;
/** Lines that are shown at first. */
const FIRST = 2;

export function RowsChart({ columns, rows }: Pick<Answer, 'columns' | 'rows'>) {
  const drawable = columns.filter(isDrawable);
  const [over, setOver] = useState(() => (drawable.find(isTime) ?? drawable[0])?.name ?? '');
  const [lines, setLines] = useState<readonly string[]>(() =>
    drawable
      .filter((column) => column.name !== over && !isTime(column))
      .map(({ name }) => name)
      .slice(0, FIRST),
  );
  const dark = useDark();
  const box = useRef<HTMLDivElement>(null);
  const shown = lines.filter((name) => name !== over);
  const key = shown.join('\n');
  const data = useMemo(() => dataOf({ columns, rows }, over, key.split('\n')), [columns, rows, over, key]);
  const xIsTime = columns.some((column) => column.name === over && isTime(column));
  useEffect(() => {
    const element = box.current!;
    const names = key === '' ? [] : key.split('\n');
    const made = new uPlot(optionsOf(names, element.clientWidth, xIsTime, dark), data, element);
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
    };
  }, [key, data, xIsTime, dark]);
  if (drawable.length < 2) return <p>A chart needs two columns of numbers or times.</p>;
  return (
    <>
      <div className="bar">
        <label>
          over{' '}
          <select value={over} onChange={(event) => setOver(event.target.value)}>
            {drawable.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        {drawable
          .filter((column) => column.name !== over && !isTime(column))
          .map(({ name }) => (
            <label key={name}>
              <input
                type="checkbox"
                checked={lines.includes(name)}
                onChange={(event) =>
                  setLines(event.target.checked ? [...lines, name] : lines.filter((one) => one !== name))
                }
              />{' '}
              {name}
            </label>
          ))}
      </div>
      <div
        className="chart"
        ref={box}
        role="img"
        aria-label={`${shown.join(', ') || 'nothing'} over ${over}, ${rows.length} rows`}
      />
    </>
  );
}

/** Sorted by x; rows without it are left out. */
function dataOf(
  { columns, rows }: Pick<Answer, 'columns' | 'rows'>,
  over: string,
  names: readonly string[],
): uPlot.AlignedData {
  const at = (name: string) => columns.findIndex((column) => column.name === name);
  const value = (row: readonly unknown[], i: number) => numberOf(row[i], columns[i] as Column);
  const x = at(over);
  const sorted = rows
    .map((row) => [value(row, x), row] as const)
    .filter(([time]) => Number.isFinite(time))
    .sort(([a], [b]) => a - b);
  const lines = names
    .filter((name) => at(name) >= 0)
    .map((name) => {
      const i = at(name);
      return sorted.map(([, row]) => {
        const found = value(row, i);
        return Number.isFinite(found) ? found : null;
      });
    });
  return [sorted.map(([time]) => time), ...lines];
}

function optionsOf(names: readonly string[], width: number, time: boolean, dark: boolean): uPlot.Options {
  const grid = { stroke: dark ? '#30373f' : '#d9dde3', width: 1 };
  const axis = { stroke: dark ? '#9fa9b5' : '#55606c', grid, ticks: grid };
  return {
    ...{ width: width || 300, height: HEIGHT, legend: { show: false }, axes: [axis, { ...axis, size: 64 }] },
    scales: { x: { time } },
    series: [
      {},
      ...names.map((label, i) => ({
        ...{ label, stroke: colourOf(i, dark), dash: dashOf(i), width: 1.5 },
        points: { show: false },
      })),
    ],
  };
}
