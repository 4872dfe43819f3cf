import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  type FilesResult,
  judgePackage,
  type PackageParsers,
  type Parsed,
  readPackageFiles,
  type TrustedKeys,
  trustedKey,
} from '../../adapters/packages/index.ts';
import { parsePlainYaml, parseSkill, splitFrontMatter } from '../../adapters/skills/index.ts';
import { type AppFault, type Application, type AppPackage, EdgeError } from '../../contract/core.ts';
import { lineOfKey, lineOfRowKey } from '../config/toml-lines.ts';
import { tomlOf } from '../config.ts';
import { applicationOf } from '../runtime/packages/application-of.ts';

export type ReadPackage =
  | {
      readonly ok: true;
      readonly pkg: AppPackage;
      readonly signature: string | undefined;
      /** The application as its files say it, with its files in this folder. What its module adds is not there yet. */
      make(folder: string): Application;
    }
  | { readonly ok: false; readonly faults: readonly AppFault[]; readonly name?: string };

export type PackageRules = { readonly keys: TrustedKeys; readonly requireSigned: boolean };

/** Public keys of the configuration; a key is named by its file. Throws `config.unreadable` or `config.invalid`. */
export function packageRules(apps: {
  readonly trusted_keys: readonly string[];
  readonly require_signed: boolean;
}): PackageRules {
  const keys = new Map(
    apps.trusted_keys.map((path) => {
      try {
        return [
          basename(path).replace(/\.[^.]+$/, ''),
          trustedKey(readFileSync(path, 'utf8'), path),
        ] as const;
      } catch (cause) {
        if (cause instanceof EdgeError) throw cause;
        throw new EdgeError('config.unreadable', {
          operation: 'read key',
          subject: path,
          message: `apps.trusted_keys: ${(cause as Error).message}`,
          cause,
        });
      }
    }),
  );
  return { keys, requireSigned: apps.require_signed };
}

/** A package in a folder, read and judged whole. Runs nothing of it, never throws. */
export function readPackage(folder: string, rules: PackageRules): ReadPackage {
  return judgeWhole(readPackageFiles(folder), rules);
}

/** The same of files that came another way. */
export function judgeWhole(files: FilesResult, rules: PackageRules): ReadPackage {
  const verdict = judgePackage(files, { parsers: PARSERS, ...rules });
  if (!verdict.ok) return verdict;
  const { pkg } = verdict;
  const made = applicationOf(pkg, '');
  if (!made.ok) {
    const faults = made.faults.map(({ path, ...fault }) => placed(pkg, fault, path));
    return { ok: false, faults, name: pkg.manifest.name };
  }
  const signature = files.ok ? files.signature : undefined;
  return { ok: true, pkg, signature, make: (folder) => ({ ...made.app, folder }) };
}

/** A fault as one line, with its place. */
export function faultText({ file, line, key, problem }: AppFault): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return key === undefined ? `${place}: ${problem}` : `${place}: ${key}: ${problem}`;
}

/** What only the whole shows has a place in a file too. */
function placed(pkg: AppPackage, fault: AppFault, path: readonly string[] | undefined): AppFault {
  if (!path) return fault;
  const file = pkg.files.find((one) => one.path === fault.file);
  const parsed = file && parsePlainYaml(new TextDecoder().decode(file.bytes));
  const line = parsed?.ok ? parsed.lineOf(path) : undefined;
  const [list, index, key] = path;
  const place =
    index === undefined ? list! : `${list}[${Number(index) + 1}]${key === undefined ? '' : `.${key}`}`;
  return { file: fault.file, ...(line === undefined ? {} : { line }), key: place, problem: fault.problem };
}

const PARSERS: PackageParsers = {
  toml: readToml,
  yaml: parsePlainYaml,
  frontMatter: splitFrontMatter,
  skillProblems(text, folder) {
    const verdict = parseSkill(text, folder);
    return verdict.ok ? [] : verdict.problems;
  },
};

function readToml(text: string): Parsed {
  try {
    const value = tomlOf(text) as Record<string, unknown>;
    return {
      ok: true,
      value,
      lineOf: (path) => {
        const [table, row, key] = path;
        return table !== undefined && row !== undefined && /^\d+$/.test(row)
          ? lineOfRowKey(text, table, Number(row), key ?? '')
          : lineOfKey(text, path);
      },
    };
  } catch (thrown) {
    const { line, message } = thrown as Error & { readonly line?: number };
    return { ok: false, line, problem: message.split('\n')[0]! };
  }
}
