import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceFile } from 'typescript/unstable/ast';
import type { FileSystem } from 'typescript/unstable/fs';
import { API, type Checker, type Project } from 'typescript/unstable/sync';
import { ROOT } from './files.ts';

/** Options that are not those of the checkout: programs without types and pages count too. */
const MORE = { allowJs: true, jsx: 'react-jsx' };
const ALONE = { noResolve: true, noLib: true, types: [] };

/**
 * Sources as the TypeScript compiler reads them, each once. The compiler runs as a process of its own (TypeScript 7 has
 * no parser in JavaScript) and ends with `close`, or with this process.
 */
export class Parsed {
  readonly #api: API;
  readonly #project: Project;
  readonly #folder: string;

  /**
   * `texts`: files by their names from the root; a text stands in place of what the disk holds, or does not hold.
   * `alone`: nothing that they import is read, and they have no types; that is quicker.
   */
  constructor(
    names: readonly string[],
    texts: ReadonlyMap<string, string> = new Map(),
    { alone = false }: { readonly alone?: boolean } = {},
  ) {
    const virtual = new Map([...texts].map(([name, text]) => [join(ROOT, name), text]));
    this.#folder = mkdtempSync(join(tmpdir(), 'tidy-'));
    const config = join(this.#folder, 'tsconfig.json');
    writeFileSync(config, configOf(names, alone));
    const fs: FileSystem = {
      readFile: (name) => virtual.get(name),
      fileExists: (name) => virtual.has(name) || undefined,
    };
    // Each question to this process costs time: it is asked only where it knows more than the disk.
    this.#api = quickly(() => new API({ cwd: ROOT, ...(virtual.size > 0 ? { fs } : {}) }));
    const [project] = this.#api.updateSnapshot({ openProjects: [config] }).getProjects();
    if (project === undefined) throw new Error('the compiler opened no project');
    this.#project = project;
  }

  get checker(): Checker {
    return this.#project.checker;
  }

  /** The tree of a file. The last one may be forgotten: a rule keeps what it found and no nodes. */
  tree(name: string): SourceFile {
    const tree = this.#project.program.getSourceFile(join(ROOT, name));
    if (tree === undefined) throw new Error(`the compiler does not read ${name}`);
    return tree;
  }

  /** Lets go of all trees, which weigh half a gigabyte together. */
  forget(): void {
    this.#api.clearSourceFileCache();
  }

  close(): void {
    this.#api.close();
    rmSync(this.#folder, { recursive: true });
  }
}

/** The compiler lives for seconds: a third of its time would go into collecting memory. It takes this from a variable. */
function quickly<T>(start: () => T): T {
  const before = process.env['GOGC'];
  process.env['GOGC'] = '400';
  try {
    return start();
  } finally {
    if (before === undefined) delete process.env['GOGC'];
    else process.env['GOGC'] = before;
  }
}

function configOf(names: readonly string[], alone: boolean): string {
  const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')) as {
    compilerOptions: object;
  };
  const typeRoots = [join(ROOT, 'node_modules', '@types')];
  return JSON.stringify({
    compilerOptions: { ...compilerOptions, ...MORE, typeRoots, ...(alone ? ALONE : {}) },
    files: names.map((name) => join(ROOT, name)),
  });
}
