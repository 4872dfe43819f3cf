import { existsSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EdgeError } from '../../contract/core.ts';

/** What decides the data of a folder: other values need another folder. */
export type FolderKey = { readonly task: string; readonly seed: number; readonly demos: number };

type Book = { readonly key: FolderKey; readonly stages: Record<string, unknown> };

/** Results of the stages of one flywheel, in a file of its folder: whole or not there, through any kill. */
export class Stages {
  readonly #path: string;
  readonly #book: Book;

  private constructor(path: string, book: Book) {
    this.#path = path;
    this.#book = book;
  }

  /** Throws `schema.invalid` where the folder belongs to a flywheel with other data. */
  static open(folder: string, key: FolderKey): Stages {
    const path = join(folder, 'flywheel.json');
    if (!existsSync(path)) return new Stages(path, { key, stages: {} });
    const book = JSON.parse(readFileSync(path, 'utf8')) as Book;
    if (JSON.stringify(book.key) !== JSON.stringify(key)) {
      throw new EdgeError('schema.invalid', {
        operation: 'flywheel',
        subject: folder,
        message: `${folder} holds a flywheel of ${JSON.stringify(book.key)}`,
        hint: '--folder with another name, or --fresh to begin anew there',
      });
    }
    return new Stages(path, book);
  }

  read(stage: string): unknown {
    return this.#book.stages[stage];
  }

  async write(stage: string, result: unknown): Promise<void> {
    this.#book.stages[stage] = result;
    const next = `${this.#path}.next`;
    const file = await open(next, 'w');
    try {
      await file.writeFile(`${JSON.stringify(this.#book, undefined, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.#path);
    const folder = await open(dirname(this.#path));
    await folder.sync().finally(() => folder.close());
  }
}
