import type { Application, AppPackage } from '../../contract/core.ts';
import type { ReadPackage } from './whole-package.ts';

/** What the shelf asks of the daemon around it. */
export type ShelfRules = {
  /** Folder of the packages that come with the daemon; undefined: none is offered. */
  readonly shipped: string | undefined;
  /** The application of a good package, as the configuration wants it. May run its code. Throws where that fails. */
  make(read: ReadPackage & { readonly ok: true }, folder: string): Application;
  /** False: packages are read where they lie, and nothing is written. Absent: each is copied into the data directory. */
  readonly keeps?: boolean;
  /** Why the code of this version must not run; undefined: it may. Absent: as the disk says. */
  readonly banned?: ((pkg: AppPackage) => string | undefined) | undefined;
  /** What this robot lacks for it; undefined: nothing. */
  lacks(pkg: AppPackage): string | undefined;
};
