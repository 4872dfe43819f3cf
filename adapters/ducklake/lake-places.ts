import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Lake, LakeMover, LakePlace } from '../../contract/core.ts';
import { DuckLakeLake, type LakeOptions } from './ducklake-lake.ts';
import { lakePaths, removeLake } from './lake-engine.ts';
import { LakeTableCopy } from './lake-move.ts';
import { noServers } from './no-servers.ts';
import { readPlace, writePlace } from './place-file.ts';
import type { RemotePlace } from './remote-place.ts';

/** Where the lake of a data directory is opened, and how it gets to another place. */
export class LakePlaces {
  readonly #options: LakeOptions;
  readonly #remote: (() => RemotePlace) | undefined;

  /** `remote`: the servers that are configured. */
  constructor(options: LakeOptions, remote: (() => RemotePlace) | undefined) {
    this.#options = options;
    this.#remote = remote;
  }

  async open(anew = false): Promise<DuckLakeLake> {
    const { place } = this.#read();
    const lake = await DuckLakeLake.open(this.#at(place), anew);
    if (place === 'remote') await writePlace(this.#options.dataDir, this.#read());
    return lake;
  }

  /** A move that was asked for and is not at its end. */
  moving(): LakePlace | undefined {
    const { place, moving } = this.#read();
    return moving === place ? undefined : moving;
  }

  /** Durable when it resolves: the move continues after a restart. The place where the lake is: none is wanted. */
  async intend(to: LakePlace): Promise<void> {
    const { place } = this.#read();
    if (!this.#remote) throw noServers();
    await writePlace(this.#options.dataDir, to === place ? { place } : { place, moving: to });
  }

  async mover(source: Lake, to: LakePlace): Promise<LakeMover> {
    if (!(source instanceof DuckLakeLake)) throw new Error('the lake is not one of DuckDB');
    const options = this.#at(to);
    const target = await DuckLakeLake.open(options);
    const from = this.#read().place;
    const folder = join(lakePaths(this.#options.dataDir).root, 'moving');
    const copy = await LakeTableCopy.open(source.engine(), target.engine(), folder).catch(
      async (thrown: unknown) => {
        await target.close();
        throw thrown;
      },
    );
    return {
      copy: (isOver) => copy.pass(isOver),
      progress: () => copy.progress(),
      finish: async () => {
        await copy.pass(() => false);
        const tables = await copy.proof();
        await target.reload();
        await writePlace(this.#options.dataDir, { place: to });
        copy.close();
        return { lake: target, tables };
      },
      retire: async () => {
        const { root, catalog, files, plain } = lakePaths(this.#options.dataDir);
        if (from === 'remote') await removeLake(this.#at('remote'));
        else
          for (const path of [catalog, `${catalog}.wal`, files, plain, `${plain}.wal`])
            rmSync(path, { recursive: true, force: true });
        rmSync(join(root, 'moving'), { recursive: true, force: true });
      },
      abandon: async () => {
        copy.close();
        await target.close();
      },
    };
  }

  #read() {
    return readPlace(this.#options.dataDir, this.#remote !== undefined);
  }

  #at(place: LakePlace): LakeOptions {
    if (place === 'embedded' || !this.#remote) return this.#options;
    return { ...this.#options, remote: this.#remote };
  }
}
