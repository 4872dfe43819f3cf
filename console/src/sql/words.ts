/** What fits the word before the cursor of a statement: keywords, tables, columns of the tables that it names. Pure. */

/** Columns by table or view. */
export type Catalogue = ReadonlyMap<string, readonly string[]>;
export type Words = { readonly from: number; readonly to: number; readonly choices: readonly string[] };

const KEYWORDS: readonly string[] = [
  ...[
    'SELECT',
    'FROM',
    'WHERE',
    'GROUP BY',
    'ORDER BY',
    'LIMIT',
    'JOIN',
    'LEFT JOIN',
    'ASOF JOIN',
    'USING',
    'ON',
  ],
  ...[
    'AS',
    'AND',
    'OR',
    'NOT',
    'IN',
    'IS NULL',
    'LIKE',
    'BETWEEN',
    'DESC',
    'DISTINCT',
    'HAVING',
    'WITH',
    'CASE',
    'WHEN',
  ],
  ...['count(*)', 'sum(', 'avg(', 'min(', 'max(', 'date_trunc(', "messages('/", 'now()', 'interval'],
];
const CHOICES_MAX = 12;

/** Undefined: nothing is offered. Within a text or a comment nothing is. */
export function wordsAt(text: string, at: number, catalogue: Catalogue): Words | undefined {
  const before = text.slice(0, at);
  if (isQuoted(before)) return undefined;
  const [word = ''] = /[\w.]*$/.exec(before) ?? [];
  const from = at - word.length;
  const [owner, part] = word.includes('.') ? word.split(/\.(?=[^.]*$)/) : [undefined, word];
  const start = (part ?? '').toLowerCase();
  const fits = (choice: string) => choice.toLowerCase().startsWith(start) && choice.toLowerCase() !== start;
  if (owner !== undefined) {
    const choices = (catalogue.get(tableOf(owner, text)) ?? []).filter(fits).slice(0, CHOICES_MAX);
    return choices.length === 0 ? undefined : { from: from + owner.length + 1, to: at, choices };
  }
  if (start === '') return undefined;
  const tables = [...catalogue.keys()];
  const named = tables.filter((table) => new RegExp(`\\b${table}\\b`, 'i').test(text));
  const columns = named.flatMap((table) => catalogue.get(table)!);
  const wantsTable = /\b(from|join)\s+\w*$/i.test(before);
  const all = wantsTable ? tables : [...columns, ...tables, ...KEYWORDS];
  const choices = [...new Set(all.filter(fits))].slice(0, CHOICES_MAX);
  return choices.length === 0 ? undefined : { from, to: at, choices };
}

/** The table that a name stands for: itself, or what `FROM table name` says. */
function tableOf(name: string, text: string): string {
  const alias = new RegExp(`\\b(?:from|join)\\s+(\\w+)\\s+(?:as\\s+)?${name}\\b`, 'i').exec(text);
  return (alias?.[1] ?? name).toLowerCase();
}

function isQuoted(text: string): boolean {
  const bare = text.replaceAll(/--[^\n]*\n/g, '');
  if (/--[^\n]*$/.test(bare)) return true;
  return bare.split("'").length % 2 === 0;
}
