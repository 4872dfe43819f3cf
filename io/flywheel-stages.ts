import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EdgeError } from '../contract/core.ts';

/** Settings that determine the data of a folder: other values need another folder. */
export type FolderKey = {
  readonly task: string;
  readonly seed: number;
  readonly demos: number;
  /** Absent where policies take none. */
  readonly prefix?: number;
};

const BOOK = 'flywheel.json';

type Book = { readonly key: FolderKey; readonly stages: Record<string, unknown> };

/** Results of the stages of one flywheel, in a file of its folder, written atomically. */
export class Stages {
  readonly #path: string;
  readonly #book: Book;

  private constructor(path: string, book: Book) {
    this.#path = path;
    this.#book = book;
  }

  /**
   * Makes the folder where it is not there. Throws `schema.invalid` where it belongs to a flywheel with other data, or
   * holds other things. `fresh`: files of an earlier flywheel are removed first, and nothing else.
   */
  static async open(folder: string, key: FolderKey, fresh = false): Promise<Stages> {
    const path = join(folder, BOOK);
    await mkdir(folder, { recursive: true });
    if (!existsSync(path) && readdirSync(folder).length > 0) throw foreign(folder);
    if (fresh && existsSync(path)) {
      await rm(folder, { recursive: true });
      await mkdir(folder, { recursive: true });
    }
    if (!existsSync(path)) {
      const stages = new Stages(path, { key, stages: {} });
      await stages.#save();
      return stages;
    }
    const book = readBook(path);
    if (!book) throw foreign(folder);
    if (JSON.stringify(book.key) !== JSON.stringify(key)) {
      throw new EdgeError('schema.invalid', {
        operation: 'flywheel',
        subject: folder,
        message: `${folder} holds a flywheel of ${JSON.stringify(book.key)}`,
        hint: '--folder with another name, or --fresh to start again there',
      });
    }
    return new Stages(path, book);
  }

  read(stage: string): unknown {
    return this.#book.stages[stage];
  }

  async write(stage: string, result: unknown): Promise<void> {
    this.#book.stages[stage] = result;
    await this.#save();
  }

  async #save(): Promise<void> {
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

function readBook(path: string): Book | undefined {
  try {
    const book = JSON.parse(readFileSync(path, 'utf8')) as Partial<Book>;
    return typeof book.key === 'object' && typeof book.stages === 'object' ? (book as Book) : undefined;
  } catch {
    return undefined;
  }
}

function foreign(folder: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'flywheel',
    subject: folder,
    message: `${folder} holds something that is no flywheel`,
    hint: '--folder with the name of a new one',
  });
}
