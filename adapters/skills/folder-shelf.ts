import { createHash } from 'node:crypto';
import { constants, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { open, readdir, realpath } from 'node:fs/promises';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import {
  EdgeError,
  type LoadedSkill,
  type SkillFault,
  type SkillFile,
  type SkillShelf,
} from '../../contract/core.ts';
import { type ParsedSkill, parseSkill } from './parse-skill.ts';

/** What a model is given at once fits into the result of one call of a tool. */
const TEXT_BYTES_MAX = 96 * 1024;
/** Packages of one application, and files of one package that are listed. */
const SKILLS_MAX = 256;
const FILES_MAX = 200;
const DEPTH_MAX = 6;
const SKILL_FILES = ['SKILL.md', 'skill.md'];

/** What one folder holds: a skill, or why it is not a skill. */
export type Judged =
  | { readonly ok: true; readonly skill: ParsedSkill; readonly text: string; readonly file: string }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Judges one package by the Agent Skills format. `name`: of its folder, where the disk has another. Never throws. */
export function judgeFolder(folder: string, name = basename(resolve(folder))): Judged {
  try {
    if (!statSync(folder).isDirectory()) return { ok: false, problems: ['is not a folder'] };
  } catch {
    return { ok: false, problems: ['does not exist'] };
  }
  const file = SKILL_FILES.find((name) => isFile(join(folder, name)));
  if (file === undefined) return { ok: false, problems: ['has no SKILL.md'] };
  try {
    const bytes = readFileSync(join(folder, file));
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const verdict = parseSkill(text, name);
    return verdict.ok ? { ok: true, skill: verdict.skill, text, file } : verdict;
  } catch (error) {
    return { ok: false, problems: [`${file} cannot be read as UTF-8: ${(error as Error).message}`] };
  }
}

/** Folders that a package may have by the format. Of the folder of an application only these belong to its skill. */
const PACKAGE_FOLDERS: ReadonlySet<string> = new Set(['references', 'assets', 'scripts']);

type Found = { readonly folder: string; readonly isApp: boolean; readonly loaded: LoadedSkill };

/** The skills of one application, read once, from its folder: `SKILL.md` and `skills/<name>/SKILL.md`. */
export class FolderShelf implements SkillShelf {
  readonly #found = new Map<string, Found>();
  readonly #faults: SkillFault[] = [];

  /** `app` is the name of the application; `folder` absolute. What is broken is a fault, never an error. */
  constructor(app: string, folder: string) {
    const candidates = SKILL_FILES.some((name) => isFile(join(folder, name))) ? [folder] : [];
    for (const name of namesIn(join(folder, 'skills'))) {
      if (!name.startsWith('.')) candidates.push(join(folder, 'skills', name));
    }
    for (const candidate of candidates.slice(0, SKILLS_MAX)) this.#take(app, folder, candidate);
    for (const candidate of candidates.slice(SKILLS_MAX))
      this.#fault(folder, candidate, [`is beyond the ${SKILLS_MAX} skills of one application`]);
  }

  skills(): readonly LoadedSkill[] {
    return [...this.#found.values()].map(({ loaded }) => loaded).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  faults(): readonly SkillFault[] {
    return this.#faults;
  }

  async files(name: string): Promise<readonly string[]> {
    const found = this.#found.get(name);
    if (!found) return [];
    const files: string[] = [];
    await list(found.folder, '', 0, files);
    return files.filter((file) => belongs(found, file)).sort();
  }

  async read(name: string, path: string): Promise<SkillFile> {
    const found = this.#found.get(name);
    if (!found) throw refused(name, 'unknown skill');
    const wanted = path.replace(/^\.\//, '');
    if (wanted === '' || wanted.includes('\0') || wanted.includes('\\') || isAbsolute(wanted))
      throw refused(name, `${shown(path)} is not a path inside the skill`);
    if (wanted.split('/').some((part) => part === '..' || part.startsWith('.')))
      throw refused(name, `${shown(path)} is hidden or leads out of the skill`);
    if (!belongs(found, wanted)) throw refused(name, `${shown(path)} does not belong to the skill`);
    const root = await realpath(found.folder);
    const real = await realpath(join(root, wanted)).catch(() => undefined);
    if (real === undefined) throw refused(name, `${shown(path)} does not exist`);
    // A link may not lead out either.
    if (!real.startsWith(root + sep)) throw refused(name, `${shown(path)} leads out of the skill`);
    const inside = relative(root, real).split(sep).join('/');
    if (!belongs(found, inside)) throw refused(name, `${shown(path)} leads out of the skill`);
    const bytes = await readBounded(name, path, real);
    return { path: inside, text: textOf(name, path, bytes), sha256: hashOf(bytes) };
  }

  #take(app: string, root: string, folder: string): void {
    // An installed application is in a folder that has its digest as name.
    const judged = folder === root ? judgeFolder(folder, app) : judgeFolder(folder);
    const problems = judged.ok ? this.#unusable(judged.skill) : judged.problems;
    if (!judged.ok || problems.length > 0) {
      this.#fault(root, folder, problems);
      return;
    }
    const { skill, text, file } = judged;
    const sha256 = hashOf(Buffer.from(text));
    const ref = join(relative(root, folder), file);
    const loaded = { skill: described(app, skill, sha256, ref), name: skill.name, sha256 };
    const isApp = folder === root;
    this.#found.set(skill.name, { folder, isApp, loaded: { ...loaded, instructions: skill.body } });
  }

  /** A valid package that nevertheless cannot be used here. */
  #unusable({ name, body }: ParsedSkill): readonly string[] {
    const bytes = Buffer.byteLength(body);
    if (bytes > TEXT_BYTES_MAX)
      return [`the instructions have ${bytes} bytes; the limit is ${TEXT_BYTES_MAX}`];
    return this.#found.has(name) ? [`name: another skill has the name ${name}`] : [];
  }

  #fault(root: string, folder: string, problems: readonly string[]): void {
    this.#faults.push({ path: relative(root, folder) || '.', problems });
  }
}

/** The code, the settings and the data of an application lie beside its SKILL.md and are no part of it. */
function belongs({ isApp }: Found, path: string): boolean {
  return !isApp || PACKAGE_FOLDERS.has(path.split('/')[0]!);
}

/** The skill in the words of the contract. Its id follows from its content: the same text is the same skill. */
function described(app: string, parsed: ParsedSkill, sha256: string, ref: string): LoadedSkill['skill'] {
  const { metadata, allowedTools = '', description } = parsed;
  const words = (text: string | undefined) => (text ?? '').split(/[\s,]+/).filter((word) => word !== '');
  const version = metadata['version'] ?? '';
  return {
    skill_id: idOf(sha256),
    version: /^\d+\.\d+\.\d+$/.test(version) ? version : '0.0.0',
    description,
    instructions_ref: ref.slice(0, 512),
    tools: words(allowedTools)
      .filter((tool) => /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/.test(tool))
      .slice(0, 128),
    requires: {
      topics: words(metadata['topics']).slice(0, 128),
      actions: words(metadata['actions']).slice(0, 128),
      models: words(metadata['models']).slice(0, 32),
    },
    app,
  };
}

/** A UUID of version 7 whose time is zero and whose chance is the hash. */
function idOf(sha256: string): string {
  const hex = `0000000000007${sha256.slice(0, 3)}8${sha256.slice(3, 18)}`;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

async function readBounded(name: string, path: string, real: string): Promise<Uint8Array> {
  // Never waits for a pipe or a device, and never follows what was swapped in meanwhile.
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: Error) => {
      throw refused(name, `${shown(path)}: ${error.message}`);
    },
  );
  try {
    const about = await file.stat();
    if (!about.isFile()) throw refused(name, `${shown(path)} is no file`);
    if (about.size > TEXT_BYTES_MAX)
      throw refused(name, `${shown(path)} has ${about.size} bytes, at most ${TEXT_BYTES_MAX} are loaded`);
    const bytes = new Uint8Array(about.size);
    const { bytesRead } = await file.read(bytes, 0, about.size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function textOf(name: string, path: string, bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch {
    // Said below.
  }
  throw refused(name, `${shown(path)} is no text`);
}

async function list(root: string, inside: string, depth: number, files: string[]): Promise<void> {
  const entries = await readdir(join(root, inside), { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (files.length >= FILES_MAX) return;
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = inside === '' ? entry.name : `${inside}/${entry.name}`;
    // The folder of an application holds its code and its other skills too: those are not files of this one.
    if (entry.isDirectory() && depth < DEPTH_MAX && !isPackage(join(root, path), path))
      await list(root, path, depth + 1, files);
    else if (entry.isFile() && !SKILL_FILES.includes(path)) files.push(path);
  }
}

function isPackage(folder: string, inside: string): boolean {
  return inside === 'skills' || SKILL_FILES.some((name) => isFile(join(folder, name)));
}

function isFile(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch {
    return false;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch {
    return [];
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function shown(path: string): string {
  return JSON.stringify(path.slice(0, 128));
}

function refused(skill: string, message: string): EdgeError {
  return new EdgeError('skill.invalid', { operation: 'read skill', subject: skill.slice(0, 64), message });
}
