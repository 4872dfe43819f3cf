import type { Status } from '../status-view.ts';

export type Look = { readonly status: Status; readonly phase: string; readonly elapsedS: number };

/** Width of a terminal that does not report one. */
const COLUMNS = 80;
/** Where the values start, after two spaces and the label. */
const INDENT = 12;
const BAR_MAX = 30;

/**
 * Live progress: redraws in place on a terminal, a line every two seconds elsewhere, silent with `--json`. Lines are
 * folded to the width of the terminal: one that the terminal wraps would be counted wrongly and drawn over.
 */
export class Progress {
  readonly #write: (text: string) => void;
  readonly #live: boolean;
  readonly #columns: () => number | undefined;
  #drawn = 0;
  #lastLineS = -10;
  #lastPhase = '';

  constructor(
    write: (text: string) => void,
    live: boolean,
    columns: () => number | undefined = () => undefined,
  ) {
    this.#write = write;
    this.#live = live;
    this.#columns = columns;
  }

  show(look: Look): void {
    if (this.#live) {
      const columns = this.#columns() || COLUMNS;
      const lines = block(look, columns).flatMap((line) => folded(line, columns));
      // Moves up to the first line and clears everything below, since there may be fewer lines now.
      const back = this.#drawn > 0 ? `\x1b[${this.#drawn}A\x1b[J` : '';
      this.#write(`${back}${lines.map((line) => `${line}\n`).join('')}`);
      this.#drawn = lines.length;
      return;
    }
    if (look.elapsedS - this.#lastLineS < 2 && look.phase === this.#lastPhase) return;
    this.#lastLineS = look.elapsedS;
    this.#lastPhase = look.phase;
    this.#write(`${oneLine(look)}\n`);
  }
}

function facts({ status, phase, elapsedS }: Look) {
  const { robot, recorder } = status;
  const pose =
    robot.available && robot.pose
      ? `x ${robot.pose.x.toFixed(2)} m  y ${robot.pose.y.toFixed(2)} m  ${((robot.pose.yaw * 180) / Math.PI).toFixed(0)} deg`
      : 'not localised yet';
  const coverage = robot.available ? (robot.map_coverage ?? 0) : 0;
  const counts = recorder.available
    ? {
        rate: recorder.messages_per_second.toFixed(0),
        received: recorder.received,
        written: recorder.written,
        dropped: recorder.dropped,
      }
    : { rate: '0', received: 0, written: 0, dropped: 0 };
  const distance = robot.available && robot.distance !== undefined ? robot.distance.toFixed(1) : '0.0';
  const bumps = robot.available ? (robot.bumps ?? 0) : 0;
  return { phase, elapsed: elapsedS.toFixed(1), pose, coverage, distance, bumps, ...counts };
}

/** Folded between values, which two spaces separate; a value wider than the terminal is truncated. */
function folded(line: string, columns: number): string[] {
  const [label = '', ...values] = [line.slice(0, INDENT), ...line.slice(INDENT).split(/ {2,}/)];
  const lines: string[] = [];
  let current = label;
  for (const value of values) {
    const isFirst = current.length <= INDENT;
    const longer = isFirst ? `${current}${value}` : `${current}  ${value}`;
    if (isFirst || longer.length < columns) current = longer;
    else {
      lines.push(current);
      current = `${' '.repeat(INDENT)}${value}`;
    }
  }
  // The last column stays free: some terminals wrap as soon as it is written.
  return [...lines, current].map((text) => text.slice(0, Math.max(1, columns - 1)));
}

function block(look: Look, columns: number): string[] {
  const f = facts(look);
  const width = Math.max(5, Math.min(BAR_MAX, columns - INDENT - ' 100 %'.length - 1));
  const filled = Math.round(f.coverage * width);
  const cells = look.status.cells
    .map((c) => `${c.name} ${c.state === 'up' ? '●' : `○ ${c.state}`}`)
    .join('  ');
  return [
    `  phase     ${f.phase.padEnd(10)} ${f.elapsed} s`,
    `  pose      ${f.pose}   driven ${f.distance} m   bumps ${f.bumps}`,
    `  map       ${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${(f.coverage * 100).toFixed(0)} %`,
    `  messages  ${f.rate}/s   received ${f.received}   written ${f.written}   lost ${f.dropped}`,
    `  cells     ${cells}`,
  ];
}

function oneLine(look: Look): string {
  const f = facts(look);
  return `${f.elapsed.padStart(6)} s  ${f.phase.padEnd(10)}  ${f.pose.padEnd(34)}  map ${(f.coverage * 100).toFixed(0).padStart(3)} %  ${f.rate.padStart(5)} messages/s  lost ${f.dropped}`;
}
