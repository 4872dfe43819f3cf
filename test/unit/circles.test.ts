import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, it } from 'vitest';

/** No file imports itself by way of others: whoever reads one file first can read all of them in one order. */
const root = join(import.meta.dirname, '..', '..');
const names = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 1 << 26,
})
  .split('\n')
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts') && !/^(?:test|bench|docs)\//.test(name));

/** Types count too: a circle of types is one for the reader. */
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s+['"](\.[^'"]+)['"]|\bimport\(\s*['"](\.[^'"]+)['"]/g;

function importsOf(name: string): string[] {
  let text: string;
  try {
    text = readFileSync(join(root, name), 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '');
  } catch {
    return []; // deleted in the work tree, not yet in the index
  }
  return [...text.matchAll(IMPORT)].map((match) => normalize(join(dirname(name), (match[1] ?? match[2])!)));
}

/** Groups of files that reach each other (Tarjan), each sorted. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const visit = (name: string): void => {
    index.set(name, index.size);
    low.set(name, index.get(name)!);
    stack.push(name);
    for (const next of graph.get(name) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(name, Math.min(low.get(name)!, low.get(next)!));
    }
    if (low.get(name) !== index.get(name)) return;
    const group = stack.splice(stack.indexOf(name));
    if (group.length > 1 || graph.get(name)?.includes(name)) found.push(group.sort());
  };
  for (const name of graph.keys()) if (!index.has(name)) visit(name);
  return found.sort();
}

/** Known circles, by the first file of each; this list only sinks. */
const KNOWN: readonly string[] = [
  'adapters/onnx/model-card.ts',
  'contract/edge-error.ts',
  'daemon/execution/recorder/arrival-order.ts',
  'daemon/runtime/governance/approval-desk.ts',
  'daemon/runtime/models/model-router.ts',
];

it('files import each other in one direction', () => {
  const graph = new Map(names.map((name) => [name, importsOf(name)]));
  expect(graph.size).toBeGreaterThan(500);
  const all = circles(graph);
  expect(all.filter(([first]) => !KNOWN.includes(first!))).toEqual([]);
  expect(KNOWN.filter((name) => !all.some(([first]) => first === name))).toEqual([]);
});

it('a circle is found, over one file and over several', () => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', ['d']],
    ['e', ['a']],
  ]);
  expect(circles(graph)).toEqual([['a', 'b', 'c'], ['d']]);
});
