import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { EdgeError, type PackageFile } from '../../contract/core.ts';
import { hasHead } from '../app/agent-head.ts';
import type { Imported } from '../app/import-agent.ts';
import type { CommandContext } from '../context.ts';

export type ImportOptions = { readonly dir: string; readonly tools?: string };

type Outcome = {
  readonly from: string;
  readonly name?: string;
  readonly folder?: string;
  readonly report: readonly string[];
  readonly faults: readonly string[];
};

/** Each agent or skill becomes a package of its own; what exists is not written over, and what has a fault hinders no other. */
export async function importApps(
  { out }: CommandContext,
  from: string[],
  { dir, tools = '' }: ImportOptions,
): Promise<number> {
  const { importAgent, importSkill } = await import('../app/import-agent.ts');
  const { faultText, readPackageFiles } = await import('../../adapters/packages/index.ts');
  const { readPackage } = await import('../../daemon/compose/package-reader.ts');
  const own = tools.split(',').flatMap((one) => one.trim() || []);
  const found = from.flatMap(sourcesOf);
  const sources = found.filter(({ kind }) => kind !== 'other');
  if (sources.length === 0)
    throw new EdgeError('config.unreadable', {
      operation: 'app import',
      subject: from.join(', '),
      message: 'there is no agent (*.md with a head between ---) and no skill (a folder with SKILL.md)',
      hint: 'auraison app import .claude, or name the file of an agent',
    });
  const results = sources.map(({ path, kind }): Outcome => {
    try {
      const made =
        kind === 'skill'
          ? importSkill(skillFiles(path, readPackageFiles), basename(path), own)
          : importAgent(readFileSync(path, 'utf8'), basename(path, '.md'), own);
      const { name, report } = made;
      const folder = resolve(dir, name);
      if (existsSync(folder))
        return {
          from: path,
          name,
          report,
          faults: [`${folder} is there already; take it away, or choose another --dir`],
        };
      write(folder, made);
      const read = readPackage(folder, { keys: new Map(), requireSigned: false });
      return { from: path, name, folder, report, faults: read.ok ? [] : read.faults.map(faultText) };
    } catch (thrown) {
      return {
        from: path,
        report: [],
        faults: [EdgeError.from(thrown, 'config.invalid', 'app import', path).message],
      };
    }
  });
  const skipped = found.flatMap(({ path, kind }) => (kind === 'other' ? path : []));
  out.result({ imported: results, skipped }, () =>
    [
      ...results.flatMap(({ from: path, name, folder, report, faults }) => [
        folder === undefined ? `${path} was not imported` : `${path} is the package ${name}: ${folder}`,
        ...report.map((line) => `  ${line}`),
        ...faults.map((line) => `  FAULT ${line}`),
        ...(folder === undefined
          ? []
          : [`  next: auraison app check ${folder} && auraison app install ${folder}`]),
      ]),
      ...skipped.map((path) => `${path} has no head between ---: it was taken for no agent`),
    ].join('\n'),
  );
  return results.some(({ faults }) => faults.length > 0) ? 1 : 0;
}

type Source = { readonly path: string; readonly kind: 'agent' | 'skill' | 'other' };
/** Folders of agents may have folders. */
const DEPTH_MAX = 4;

/** A file is an agent; a folder is a skill, or holds agents and skills, as `.claude` does. */
function sourcesOf(given: string): readonly Source[] {
  const path = resolve(given);
  if (!existsSync(path))
    throw new EdgeError('config.unreadable', {
      operation: 'app import',
      subject: given,
      message: `there is no ${given}`,
      hint: 'name an agent file, a skill folder, or a folder with either',
    });
  if (statSync(path).isFile()) return [{ path, kind: 'agent' }];
  // What else lies there (commands, settings) is neither.
  const own = ['agents', 'skills'].map((name) => join(path, name)).filter((one) => existsSync(one));
  return basename(path) === '.claude' ? own.flatMap((one) => within(one, 1)) : within(path, 0);
}

function within(folder: string, depth: number): readonly Source[] {
  if (existsSync(join(folder, 'SKILL.md'))) return [{ path: folder, kind: 'skill' }];
  if (depth > DEPTH_MAX) return [];
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry): readonly Source[] => {
      const path = join(folder, entry.name);
      if (entry.isFile() && entry.name.endsWith('.md'))
        return [{ path, kind: hasHead(readFileSync(path, 'utf8')) ? 'agent' : 'other' }];
      const isOwn = entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules';
      return isOwn ? within(path, depth + 1) : [];
    });
}

function skillFiles(
  folder: string,
  read: (folder: string) => {
    readonly ok: boolean;
    readonly files?: readonly PackageFile[];
    readonly faults?: readonly { readonly file: string; readonly problem: string }[];
  },
): readonly PackageFile[] {
  const { files, faults = [] } = read(folder);
  if (files) return files;
  throw new EdgeError('config.invalid', {
    operation: 'app import',
    subject: folder,
    message: faults.map(({ file, problem }) => `${file}: ${problem}`).join('; '),
  });
}

function write(folder: string, { files }: Imported): void {
  for (const { path, bytes } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}
