import { clean } from './chat/text.ts';

/** Lines of decisions as a person reads them: who called what with which values, and what came of it. Pure. */

/** A text of one value is cut here, characters; `--raw` has the whole. */
const TEXT = 160;

type Line = Readonly<Record<string, unknown>>;

/** One line of the API's decisions. A kind that is unknown is shown as it came. */
export function decisionView(line: Line): string {
  const text = (key: string) => (typeof line[key] === 'string' ? cut(line[key]) : '');
  const call = `${String(line['n'] ?? '').padStart(4)}  ${text('tool')}`;
  switch (line['kind']) {
    case 'intent':
      return `intent  ${text('type')}${spaced(values(line['params']))}`;
    case 'phase':
      return `      ${text('previous') ? `${text('previous')} → ` : ''}${text('phase')}  ${text('reason')}`;
    case 'policy':
      return `      ${text('decision')} at ${text('point')}${spaced(text('reason'))}`;
    case 'call':
      return `${call}${spaced(values(line['args']))}`;
    case 'return':
      return line['ok'] === true
        ? `${call} gave${spaced(values(line['result']))}`
        : `${call} failed  ${text('error')}`;
    case 'finished':
      return `${text('status')}  ${text('reason')}`;
    default:
      return JSON.stringify(line);
  }
}

function values(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return cut(shown(value));
  return cut(
    Object.entries(value)
      .map(([key, item]) => `${key}=${shown(item)}`)
      .join(' '),
  );
}

/** Numbers by four digits: a millimetre and a tenth of a degree. */
function shown(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? `${value}` : `${+value.toPrecision(4)}`;
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return `[${value.map(shown).join(' ')}]`;
  if (typeof value !== 'object' || value === null) return `${value ?? ''}`;
  return `{${Object.entries(value)
    .map(([key, item]) => `${key}=${shown(item)}`)
    .join(' ')}}`;
}

const spaced = (text: string) => (text === '' ? '' : `  ${text}`);

function cut(text: string): string {
  const line = clean(text).replace(/\s+/g, ' ');
  return line.length > TEXT ? `${line.slice(0, TEXT - 1)}…` : line;
}
