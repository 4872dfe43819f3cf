/** The whole terminal for a view that is drawn again and again; what stood there is there again afterwards. */

const ROWS = 24;
const COLUMNS = 80;
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[0m\u001b[?25h\u001b[?1049l';
const REDRAW = '\u001b[H\u001b[J';

export type Screen = {
  readonly columns: number;
  readonly rows: number;
  draw(text: string): void;
  /** Calls when the terminal has another size. */
  onResize(call: () => void): void;
  /** Gives the terminal back: its text, its cursor and its keys. */
  close(): void;
};

/** Opens the terminal of this process; `end` is called for q, Ctrl-C and Ctrl-D. */
export function openScreen(end: () => void): Screen {
  const { stdout } = process;
  const keys = watchKeys(end);
  let resized: (() => void) | undefined;
  stdout.write(ENTER);
  return {
    get columns() {
      return stdout.columns || COLUMNS;
    },
    get rows() {
      return stdout.rows || ROWS;
    },
    draw: (text) => void stdout.write(REDRAW + text),
    onResize: (call) => {
      resized = call;
      stdout.on('resize', call);
    },
    close: () => {
      if (resized) stdout.off('resize', resized);
      stdout.write(LEAVE);
      keys?.end();
    },
  };
}

/** What a terminal of this size shows of a text: long lines are truncated, and the last line says what is left out. */
export function fitted(text: string, columns: number, rows: number): string {
  const lines = text
    .split('\n')
    .map((line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line));
  if (lines.length <= rows) return lines.join('\n');
  const shown = lines.slice(0, Math.max(0, rows - 1));
  return [...shown, `… ${lines.length - shown.length} more lines`.slice(0, columns)].join('\n');
}

function watchKeys(end: () => void): { end(): void } | undefined {
  const { stdin } = process;
  if (stdin.isTTY !== true) return undefined;
  const take = (keys: string) => {
    // Ctrl-C and Ctrl-D come as characters here.
    if (/[qQ\u0003\u0004]/.test(keys)) end();
  };
  stdin.setRawMode(true);
  stdin.setEncoding('utf8').on('data', take).resume();
  return {
    end: () => {
      stdin.off('data', take).pause();
      stdin.setRawMode(false);
    },
  };
}
