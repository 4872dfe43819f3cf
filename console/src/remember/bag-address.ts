/**
 * A view of a recording as the address of the page has it: `#/recordings/BAG;t=12.5;on=map,story;f=/odom.x;c=/front;
 * m=…;s=1,2;r=2`. Pure.
 */
import { signalOf } from '../see/plots/fields.ts';
import { SIGNALS_MAX } from '../see/plots/plot-address.ts';
import { RATES } from './player.ts';

export const PANELS = ['map', 'cameras', 'plots', 'story'] as const;
export type PanelName = (typeof PANELS)[number];

export type BagView = {
  readonly bag: string;
  /** Time of the cursor, seconds of the clock of the recording; undefined: its start. */
  readonly timeS: number | undefined;
  readonly rate: number;
  readonly panels: readonly PanelName[];
  readonly signals: readonly string[];
  /** Undefined: those that are shown first. */
  readonly cameras: readonly string[] | undefined;
  /** A part of the time, seconds: to be cut or written about. */
  readonly part: readonly [fromS: number, toS: number] | undefined;
};

const BAG = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const TOPIC = /^\/[\w/~]{1,255}$/;
const CAMERAS_MAX = 4;

/** Undefined where the address names no recording. What else is not valid is left out. */
export function bagViewOf(argument: string): BagView | undefined {
  const [bag = '', ...rest] = argument.split(';');
  if (!BAG.test(bag)) return undefined;
  const given = new Map(
    rest.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
  );
  const list = (key: string) => (given.get(key) ?? '').split(',').filter((one) => one !== '');
  const numbers = (key: string) => list(key).map(Number).filter(Number.isFinite);
  const [timeS] = numbers('t');
  const [rate = 1] = numbers('r');
  const [fromS, toS] = numbers('s');
  return {
    ...{ bag, timeS, rate: RATES.includes(rate) ? rate : 1 },
    panels: given.has('on') ? PANELS.filter((name) => list('on').includes(name)) : PANELS,
    signals: [...new Set(list('f'))].filter((text) => signalOf(text) !== undefined).slice(0, SIGNALS_MAX),
    cameras: given.has('c')
      ? list('c')
          .filter((topic) => TOPIC.test(topic))
          .slice(0, CAMERAS_MAX)
      : undefined,
    part: fromS !== undefined && toS !== undefined && fromS <= toS ? [fromS, toS] : undefined,
  };
}

/** With milliseconds: an address that a person can read. */
export function bagHrefOf({ bag, timeS, rate, panels, signals, cameras, part }: BagView): string {
  const time = (seconds: number) => String(Math.round(seconds * 1_000) / 1_000);
  return [
    `#/recordings/${bag}`,
    ...(timeS === undefined ? [] : [`t=${time(timeS)}`]),
    ...(rate === 1 ? [] : [`r=${rate}`]),
    ...(panels.length === PANELS.length ? [] : [`on=${panels.join(',')}`]),
    ...(signals.length === 0 ? [] : [`f=${signals.join(',')}`]),
    ...(cameras === undefined ? [] : [`c=${cameras.join(',')}`]),
    ...(part === undefined ? [] : [`s=${part.map(time).join(',')}`]),
  ].join(';');
}
