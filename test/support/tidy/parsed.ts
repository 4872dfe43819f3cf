import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceFile } from 'typescript/unstable/ast';
import { API, type Checker, type Project } from 'typescript/unstable/sync';
import { ROOT } from './files.ts';

/** Options that are not those of the checkout: programs without types and pages count too. */
const MORE = { allowJs: true, jsx: 'react-jsx' };

/**
 * Sources as the TypeScript compiler reads them, each once. The compiler runs as a process of its own (TypeScript 7 has
 * no parser in JavaScript) and ends with `close`, or with this process.
 */
export class Parsed {
  readonly #api: API;
  readonly #project: Project;

  /** `texts`: files by their names from the root; a text stands in place of what the disk holds, or does not hold. */
  constructor(names: readonly string[], texts: ReadonlyMap<string, string> = new Map()) {
    const config = join(ROOT, 'tsconfig.tidy.json');
    const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')) as {
      compilerOptions: object;
    };
    const virtual = new Map([...texts].map(([name, text]) => [join(ROOT, name), text]));
    virtual.set(
      config,
      JSON.stringify({ compilerOptions: { ...compilerOptions, ...MORE }, files: names, include: [] }),
    );
    this.#api = new API({
      cwd: ROOT,
      fs: {
        readFile: (name) => virtual.get(name),
        fileExists: (name) => virtual.has(name) || undefined,
      },
    });
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
  }
}
