import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { EdgeError } from '../../contract/core.ts';

export type Choice = { readonly id: string; readonly label: string };
export type Question = {
  readonly question: string;
  /** What an empty answer means; absent: it is asked again. */
  readonly fallback?: string;
  /** The answer is not shown. */
  readonly secret?: boolean;
  /** Names that may be chosen, also by number. Any other answer is taken as it is unless `closed`. */
  readonly choices?: readonly Choice[];
  readonly closed?: boolean;
};

/** Asks a person. Rejects with `run.cancelled` at Ctrl-C or the end of the input. */
export type Ask = (question: Question, signal?: AbortSignal) => Promise<string>;

const SHOWN_MAX = 40;

/** Undefined without a terminal: then every answer must be given as an option. */
export function terminalAsk(input = process.stdin, output = process.stderr): Ask | undefined {
  if (!input.isTTY || !output.isTTY) return undefined;
  return async (question, signal) => {
    const { choices = [], closed = false, fallback } = question;
    for (const [index, { id, label }] of choices.slice(0, SHOWN_MAX).entries())
      output.write(
        `  ${String(index + 1).padStart(2)}  ${id}${label === id || label === '' ? '' : `  ${label}`}\n`,
      );
    if (choices.length > SHOWN_MAX) output.write(`      and ${choices.length - SHOWN_MAX} more\n`);
    for (;;) {
      const said = (await line(question, input, output, signal)).trim();
      const picked = choices[Number(said) - 1]?.id ?? (said === '' ? fallback : said);
      if (picked === undefined) continue;
      if (!closed || choices.some(({ id }) => id === picked)) return picked;
      output.write(`${picked} is not one of them\n`);
    }
  };
}

function line(
  { question, fallback, secret = false }: Question,
  input: typeof process.stdin,
  output: typeof process.stderr,
  signal: AbortSignal | undefined,
): Promise<string> {
  let quiet = false;
  const shown = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!quiet) output.write(chunk);
      done();
    },
  });
  const reader = createInterface({ input, output: shown, terminal: true, historySize: 0 });
  return new Promise((resolve, reject) => {
    const over = () => reject(cancelled(question));
    const onAbort = () => reader.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    reader.once('close', over);
    reader.once('SIGINT', () => reader.close());
    reader.question(`${question}${fallback === undefined ? '' : ` [${fallback}]`}: `, (answer) => {
      resolve(answer);
      signal?.removeEventListener('abort', onAbort);
      reader.close();
      if (secret) output.write('\n');
    });
    quiet = secret;
  });
}

function cancelled(question: string): EdgeError {
  return new EdgeError('run.cancelled', {
    operation: 'ask',
    subject: question,
    message: 'cancelled: nothing was changed',
  });
}
