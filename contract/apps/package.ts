import type { FlowFile } from './flow-file.ts';
import type { AppManifest } from './manifest.ts';
import type { TreeFile } from './tree-file.ts';

/** What is wrong with a package, with everything needed to fix it. */
export type AppFault = {
  /** Relative to the folder of the package. */
  readonly file: string;
  readonly line?: number;
  readonly key?: string;
  /** What is wrong and what to do. */
  readonly problem: string;
};

/** One file of a package. `path` is relative, with `/`. */
export type PackageFile = { readonly path: string; readonly bytes: Uint8Array };

/** An application as its files say it, read and checked; nothing of it has run. */
export type AppPackage = {
  readonly manifest: AppManifest;
  /** Body of AGENT.md; of the pi harness. */
  readonly instructions?: string;
  /** Its flow as steps; of the flow harness, or where a model fails. */
  readonly flow?: FlowFile;
  /** Its flow as a behavior tree, where it has that instead. */
  readonly tree?: TreeFile;
  /** The file of either. */
  readonly flowPath: string;
  /** SHA-256 over its sorted paths and contents, without its signature. */
  readonly digest: string;
  /** Name of the trusted key that signed it; absent: it is not signed. */
  readonly signedBy?: string;
  readonly files: readonly PackageFile[];
};

/** Where a package comes from, as `auraison app list` shows it. */
export type AppSource = 'built-in' | 'shipped' | 'folder' | 'installed';

/** One application as people look at it. */
export type AppView = {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly harness: 'pi' | 'flow' | 'remote';
  readonly source: AppSource;
  /** Folder, as configured or installed; empty for what is built in. */
  readonly folder: string;
  /** Empty for what is built in. */
  readonly digest: string;
  readonly signed_by: string;
  /**
   * `bad`: it is not offered. When a new version is bad, the former stays in use, and `reason` says so. `off`:
   * nothing is wrong, and this robot lacks what it needs.
   */
  readonly state: 'loaded' | 'bad' | 'off';
  readonly reason: string;
  readonly intents: readonly string[];
};

export interface AppsApi {
  apps(): readonly AppView[];
  /**
   * Reads all folders again. Active runs keep what they started with. `name`: this package is taken in again
   * although its module ended the cell. Rejects with `api.not_found` where no application has this name.
   */
  reloadApps(name?: string): Promise<readonly AppView[]>;
}
