import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { EdgeError, type PackageFile } from '../../contract/core.ts';
import type { Imported } from '../app/import-agent.ts';
import type { CommandContext } from '../context.ts';

export type ImportOptions = { readonly dir: string; readonly tools?: string };

/** Each agent or skill becomes a package of its own; what exists is not written over. */
export async function importApps(
  { out }: CommandContext,
  from: string[],
  { dir, tools = '' }: ImportOptions,
): Promise<number> {
  const { importAgent, importSkill } = await import('../app/import-agent.ts');
  const { faultText, readPackageFiles } = await import('../../adapters/packages/index.ts');
  const { readPackage } = await import('../../daemon/compose/package-reader.ts');
  const own = tools.split(',').flatMap((one) => one.trim() || []);
  const results = from.flatMap(sourcesOf).map(({ path, isSkill }) => {
    const made = isSkill
      ? importSkill(skillFiles(path, readPackageFiles), basename(path), own)
      : importAgent(readFileSync(path, 'utf8'), basename(path, '.md'), own);
    const folder = resolve(dir, made.name);
    if (existsSync(folder))
      throw new EdgeError('config.invalid', {
        operation: 'app import',
        subject: folder,
        message: `${folder} is there already`,
        hint: 'take it away, or choose another --dir',
      });
    write(folder, made);
    const read = readPackage(folder, { keys: new Map(), requireSigned: false });
    const faults = read.ok ? [] : read.faults.map(faultText);
    return { from: path, name: made.name, folder, report: made.report, faults };
  });
  if (results.length === 0)
    throw new EdgeError('config.unreadable', {
      operation: 'app import',
      subject: from.join(', '),
      message: 'there is no agent (*.md) and no skill (a folder with SKILL.md)',
      hint: 'auraison app import .claude/agents .claude/skills',
    });
  out.result({ imported: results }, () =>
    results
      .flatMap(({ from: path, name, folder, report, faults }) => [
        `${path} is the package ${name}: ${folder}`,
        ...report.map((line) => `  ${line}`),
        ...faults.map((line) => `  FAULT ${line}`),
        `  next: auraison app check ${folder} && auraison app install ${folder}`,
      ])
      .join('\n'),
  );
  return results.some(({ faults }) => faults.length > 0) ? 1 : 0;
}

type Source = { readonly path: string; readonly isSkill: boolean };

/** A file is an agent; a folder is a skill, or holds agents and skills. */
function sourcesOf(given: string): readonly Source[] {
  const path = resolve(given);
  if (!existsSync(path))
    throw new EdgeError('config.unreadable', {
      operation: 'app import',
      subject: given,
      message: `there is no ${given}`,
      hint: 'name an agent file, a skill folder, or a folder with either',
    });
  if (statSync(path).isFile()) return [{ path, isSkill: false }];
  if (existsSync(join(path, 'SKILL.md'))) return [{ path, isSkill: true }];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry): Source[] => {
      const below = join(path, entry.name);
      if (entry.isFile() && entry.name.endsWith('.md')) return [{ path: below, isSkill: false }];
      return entry.isDirectory() && existsSync(join(below, 'SKILL.md'))
        ? [{ path: below, isSkill: true }]
        : [];
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
