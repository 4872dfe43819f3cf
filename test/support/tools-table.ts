import type { ToolSpec } from '../../contract/index.ts';
import { houseSpecs } from '../../daemon/runtime/house-tools.ts';

type Schema = {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly description?: string;
};

const BEGIN = '<!-- tools: node scripts/tools-doc.ts -->';
const END = '<!-- end of tools -->';

/** The document with the parts between the marks made anew from the code. */
export function withTable(document: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('docs/tools.md has lost its marks');
  return `${document.slice(0, begin + BEGIN.length)}\n\n${table(houseSpecs())}\n\n${document.slice(end)}`;
}

function table(tools: readonly ToolSpec[]): string {
  const rows = tools.map((spec) => [
    `\`${spec.name}\``,
    spec.effect,
    spec.replay,
    `${+(spec.deadlineMs / 1000).toFixed(1)} s`,
  ]);
  const widths = ['tool', 'effect', 'replay', 'deadline'].map((head, i) =>
    Math.max(head.length, ...rows.map((row) => row[i]!.length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const overview = [
    line(['tool', 'effect', 'replay', 'deadline']),
    `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`,
    ...rows.map(line),
  ];
  return [overview.join('\n'), ...tools.map(section)].join('\n\n');
}

function section(spec: ToolSpec): string {
  const fields = (spec.input as unknown as Schema).anyOf ?? [spec.input as unknown as Schema];
  const lists = fields.map((one) => lines(one, '').join('\n')).filter((text) => text !== '');
  return [`### ${spec.name}`, spec.description, lists.join('\n\nor\n\n')]
    .filter((text) => text !== '')
    .join('\n\n');
}

function lines({ properties = {}, required = [] }: Schema, prefix: string): string[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const needed = required.includes(name) ? '' : ', may be left out';
    const own = `- \`${prefix}${name}\`: ${kind(field)}${needed}${field.description ? `. ${capital(field.description)}.` : '.'}`;
    const inner = (field.anyOf ?? [field]).flatMap((one) => lines(one, `${prefix}${name}.`));
    const free = Object.values(field.patternProperties ?? {}).map(
      (one) => `- \`${prefix}${name}.NAME\`: ${kind(one)}. ${capital(one.description ?? '')}.`,
    );
    return [own, ...inner, ...free];
  });
}

function kind(field: Schema): string {
  if (field.const !== undefined) return JSON.stringify(field.const);
  if (field.anyOf) return [...new Set(field.anyOf.map(kind))].join(' or ');
  const { type = 'value', minimum, maximum, maxLength, maxItems, pattern } = field;
  if (minimum !== undefined) return `${type}, ${minimum} to ${maximum}`;
  if (pattern !== undefined) return `text like \`${pattern}\``;
  if (maxLength !== undefined) return `text, at most ${maxLength} characters`;
  return maxItems === undefined ? type : `${type}, at most ${maxItems}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
