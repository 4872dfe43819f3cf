import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { APP_LIMITS } from '../../contract/apps/manifest.ts';
import {
  type Application,
  type AppPackage,
  type AppSource,
  type AppView,
  EdgeError,
} from '../../contract/core.ts';
import type { ModuleTrust } from './judge-package.ts';
import { bannedOnDisk } from './module-guard.ts';
import { PackageStore } from './package-store.ts';
import type { ShelfRules } from './shelf-rules.ts';
import { faultText, type PackageRules, type ReadPackage } from './whole-package.ts';

export type ShelfParts = {
  readonly dataDir: string;
  /** `[apps] dirs`: packages, and folders of packages. */
  readonly dirs: readonly string[];
  readonly requireSigned: boolean;
  readonly modules: ModuleTrust;
  /** Called once. Throws where a trusted key cannot be read. */
  rules(): PackageRules;
  /** A package in a folder, judged whole. Never throws. */
  read(folder: string, rules: PackageRules): ReadPackage;
  /** Checks policy files ahead of `read`, which then knows the verdicts. Never rejects; absent: `read` checks them. */
  checkPolicies?(files: readonly { readonly file: string; readonly text: string }[]): Promise<void>;
  readonly own: ShelfRules;
};

/** A version of a package that is in use. */
export type ShelvedApp = {
  readonly app: Application;
  readonly pkg: AppPackage;
  readonly source: AppSource;
  /** Where it was found; its files are those of the copy that `app.folder` names. */
  readonly folder: string;
};

type Place = { readonly folder: string; readonly source: AppSource; readonly digest?: string };
type Bad = {
  readonly place: Place;
  readonly name: string;
  readonly reason: string;
  /** Its code must not run again: the former stays only where it is another version. */
  readonly banned?: string;
  /** Of one that is not wrong: this robot lacks what it needs. */
  readonly off?: AppPackage;
};

const REASON_MAX = 1_024;
/** Policy files of one package that are checked ahead. */
const POLICY_FILES_MAX = 64;
/** Who signed the daemon signed what comes with it. */
const OURS = { requireSigned: false, modules: 'any' } as const;

/**
 * The packages of `[apps] dirs` and those that are installed. What cannot be used is a line of its own and harms no
 * other; of one whose new version is bad the former stays. `builtIn`: names and intents that are taken.
 */
export class PackageShelf {
  readonly #store: PackageStore;
  readonly #builtIn: readonly Application[];
  readonly #dirs: readonly string[];
  readonly #read: ShelfParts['read'];
  readonly #checkPolicies: ShelfParts['checkPolicies'];
  readonly #rules: PackageRules;
  readonly #own: ShelfRules;
  readonly #banned: (pkg: AppPackage) => string | undefined;
  /** By the folder in which they were found. */
  #good: ReadonlyMap<string, ShelvedApp> = new Map();
  #bad: readonly Bad[] = [];
  /** What keeps signatures from being checked, and the list of what is installed from being read; empty: nothing. */
  #keysFault = '';
  #lockFault = '';

  /** A trusted key that cannot be read trusts no package, and is a line of `views`. */
  constructor(
    { dataDir, dirs, requireSigned, modules, rules, read, own, checkPolicies }: ShelfParts,
    builtIn: readonly Application[],
  ) {
    this.#own = own;
    this.#checkPolicies = checkPolicies;
    this.#banned = own.banned ?? bannedOnDisk(dataDir);
    this.#store = new PackageStore(dataDir);
    this.#builtIn = builtIn;
    this.#dirs = dirs;
    this.#read = read;
    this.#rules = { keys: new Map(), requireSigned, modules };
    try {
      this.#rules = rules();
    } catch (thrown) {
      const { message, subject } = EdgeError.from(thrown, 'config.unreadable', 'read key', 'apps');
      this.#keysFault = `${message} (${subject}); until it can be read no signature counts`;
    }
  }

  /** Whether there is anything to read. */
  get isEmpty(): boolean {
    return this.#places().length === 0;
  }

  /** Those in use, by the order in which they were found. */
  get apps(): readonly ShelvedApp[] {
    return [...this.#good.values()];
  }

  /** Before `read` where others wait for this thread: policies of packages may take seconds to check. Never rejects. */
  async prepare(): Promise<void> {
    const check = this.#checkPolicies;
    if (!check) return;
    for (const { folder } of this.#places()) await check(policyTexts(folder));
  }

  /** Reads everything again. Never throws: what is wrong with a folder is said in `views`. */
  read(): void {
    const before = this.#good;
    const good = new Map<string, ShelvedApp>();
    const bad: Bad[] = [];
    for (const place of this.#places()) {
      const former = before.get(place.folder);
      const taken = this.#take(place, former, [...good.values()]);
      if ('reason' in taken) bad.push(taken);
      else good.set(place.folder, taken);
      // Another package may have its name or its intents by now: then it goes.
      if (!('reason' in taken) || !former) continue;
      // Of the version in use itself: nothing else stays in its place.
      if ([taken.banned, taken.off?.digest].includes(former.pkg.digest)) continue;
      if (this.#clash(former, [...good.values()]) === undefined) good.set(place.folder, former);
    }
    this.#good = good;
    this.#bad = bad;
  }

  views(): readonly AppView[] {
    const newer = new Map(this.#bad.map((one) => [one.place.folder, one]));
    const good = [...this.#good.values()].map((one) => {
      const reason = newer.get(one.folder)?.reason;
      newer.delete(one.folder);
      return viewOf(one, reason === undefined ? '' : `its new version is not taken: ${reason}`);
    });
    return [...good, ...[...newer.values(), ...this.#faults()].map(badView)];
  }

  #faults(): readonly Bad[] {
    const faults = [
      { name: 'trusted_keys', folder: '', reason: this.#keysFault },
      { name: 'installed', folder: this.#store.lockFile, reason: this.#lockFault },
    ];
    return faults
      .filter(({ reason }) => reason !== '')
      .map(({ name, folder, reason }) => ({
        ...{ name, reason: reason.slice(0, REASON_MAX) },
        place: { folder, source: 'installed' },
      }));
  }

  /** A version that was kept for a run or a replay; undefined: it is gone. */
  version(name: string, digest: string): Application | undefined {
    if (!this.#store.hasVersion(digest)) return undefined;
    const folder = this.#store.versionFolder(digest);
    // It was accepted when it was installed. A key that was withdrawn since then ends no run.
    const read = this.#read(folder, {
      ...this.#rules,
      ...(this.#trusts(name) ? OURS : { requireSigned: false }),
    });
    if (!read.ok || read.pkg.digest !== digest || read.pkg.manifest.name !== name) return undefined;
    if (this.#banned(read.pkg) !== undefined) return undefined;
    return this.#own.make(read, folder);
  }

  /** Kept versions have no signature: code of one runs where that of the package in use may. */
  #trusts(name: string): boolean {
    const now = this.apps.find(({ pkg }) => pkg.manifest.name === name);
    if (!now) return false;
    return now.source === 'shipped' || (this.#rules.modules === 'signed' && now.pkg.signedBy !== undefined);
  }

  /** Forgets old versions, none of these and none in use. */
  trim(needed: Iterable<string>): void {
    this.#store.trim(new Set([...needed, ...this.apps.map(({ pkg }) => pkg.digest)]));
  }

  #places(): readonly Place[] {
    const found: Place[] = [];
    const { shipped } = this.#own;
    for (const name of shipped === undefined ? [] : foldersIn(shipped))
      found.push({ folder: join(shipped!, name), source: 'shipped' });
    for (const dir of this.#dirs) {
      if (existsSync(join(dir, 'app.toml')) || !existsSync(dir))
        found.push({ folder: dir, source: 'folder' });
      else
        for (const name of foldersIn(dir).slice(0, APP_LIMITS.FOLDERS_MAX))
          found.push({ folder: join(dir, name), source: 'folder' });
    }
    for (const [name, { digest }] of Object.entries(this.#installed()))
      found.push({ folder: this.#store.folderOf(name), source: 'installed', digest });
    return found;
  }

  #installed() {
    try {
      this.#lockFault = '';
      return this.#store.lock();
    } catch (thrown) {
      // The daemon continues with what lies in its folders.
      this.#lockFault = EdgeError.from(thrown, 'config.invalid', 'read lock', this.#store.lockFile).message;
      return {};
    }
  }

  #take(place: Place, former: ShelvedApp | undefined, beside: readonly ShelvedApp[]): ShelvedApp | Bad {
    const { folder, source, digest } = place;
    const bad = (reason: string, name = basename(folder)): Bad => ({
      place,
      name,
      reason: reason.slice(0, REASON_MAX),
    });
    if (!existsSync(folder)) return bad('the folder is not there');
    // What was named in the configuration may be a link; what lies in it may not lead elsewhere.
    if (!this.#dirs.includes(folder) && lstatSync(folder).isSymbolicLink())
      return bad('the folder is a link; name its target in [apps] dirs, or copy it');
    let read: ReadPackage;
    try {
      read = this.#read(folder, source === 'shipped' ? { ...this.#rules, ...OURS } : this.#rules);
      if (!read.ok) return bad(read.faults.map(faultText).join('; '), read.name);
      const { pkg } = read;
      if (digest !== undefined && pkg.digest !== digest)
        return bad('its files are not those that were installed; install it again', pkg.manifest.name);
      const clash = this.#clash({ pkg, folder }, beside);
      if (clash !== undefined) return bad(clash, pkg.manifest.name);
      const banned = this.#banned(pkg);
      if (banned !== undefined) return { ...bad(banned, pkg.manifest.name), banned: pkg.digest };
      const lacks = this.#own.lacks(pkg);
      if (lacks !== undefined) return { ...bad(lacks, pkg.manifest.name), off: pkg };
      if (former?.pkg.digest === pkg.digest && former.pkg.signedBy === pkg.signedBy) return former;
      const copy = this.#own.keeps === false ? folder : this.#store.keep(pkg);
      return { app: this.#own.make(read, copy), pkg, source, folder };
    } catch (thrown) {
      return bad(EdgeError.from(thrown, 'internal.fault', 'read package', folder).message);
    }
  }

  /** Names and intents are there once. */
  #clash(
    { pkg, folder }: Pick<ShelvedApp, 'pkg' | 'folder'>,
    beside: readonly ShelvedApp[],
  ): string | undefined {
    const { name, intents } = pkg.manifest;
    const others = beside.filter((one) => one.folder !== folder);
    const all = [
      ...this.#builtIn.map((app) => ({ app, where: 'the daemon itself' })),
      ...others.map(({ app, folder: where }) => ({ app, where })),
    ];
    for (const { app, where } of all) {
      if (app.name === name) return `another application is called ${name} (${where}); rename one`;
      const type = app.intents.find((one) => intents.some((own) => own.type === one.type))?.type;
      if (type !== undefined)
        return `the intent ${type} is served by ${app.name} (${where}) already; rename one`;
    }
    return undefined;
  }
}

/** An application that came with the daemon, as people look at it. */
export function builtInView({ name, version, description, harness, intents }: Application): AppView {
  return {
    ...{ name, version, description, harness },
    ...{ source: 'built-in', folder: '', digest: '', signed_by: '', state: 'loaded', reason: '' },
    intents: intents.map(({ type }) => type),
  };
}

function viewOf({ app, pkg, source, folder }: ShelvedApp, reason: string): AppView {
  return {
    ...builtInView(app),
    ...{ source, folder, digest: pkg.digest, signed_by: pkg.signedBy ?? '', state: 'loaded', reason },
  };
}

function badView({ name, place, reason, off }: Bad): AppView {
  if (off) {
    const { version, description, harness, intents } = off.manifest;
    return {
      ...{ name, version, description, harness, source: place.source, folder: place.folder },
      ...{ digest: off.digest, signed_by: off.signedBy ?? '', state: 'off', reason },
      intents: intents.map(({ type }) => type),
    };
  }
  return {
    ...{ name: name.slice(0, 128), version: '', description: '', harness: 'flow', source: place.source },
    ...{ folder: place.folder, digest: '', signed_by: '', state: 'bad', reason, intents: [] },
  };
}

function foldersIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
  } catch {
    return [];
  }
}

/** The policy files of a package that may be read; what is wrong with others is said by `read`. */
function policyTexts(folder: string): { readonly file: string; readonly text: string }[] {
  const found: { readonly file: string; readonly text: string }[] = [];
  try {
    for (const { name } of readdirSync(join(folder, 'policies'), { withFileTypes: true }).slice(
      0,
      POLICY_FILES_MAX,
    )) {
      const path = join(folder, 'policies', name);
      const { size } = lstatSync(path);
      if (!name.endsWith('.cedar') || !lstatSync(path).isFile() || size > APP_LIMITS.TEXT_BYTES_MAX) continue;
      found.push({ file: `policies/${name}`, text: readFileSync(path, 'utf8') });
    }
  } catch {
    // The folder is missing, or cannot be read.
  }
  return found;
}
