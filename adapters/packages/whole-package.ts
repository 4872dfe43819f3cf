import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type AppFault, type Application, type AppPackage, EdgeError } from '../../contract/core.ts';
import { keyOf } from './checked-file.ts';
import { type JudgeParts, judgePackage, type ModuleTrust, type PackageParsers } from './judge-package.ts';
import type { FilesResult } from './package-files.ts';
import { trustedKey } from './signature.ts';

export type ReadPackage =
  | {
      readonly ok: true;
      readonly pkg: AppPackage;
      readonly signature: string | undefined;
      /** The application as its files say it, with its files in this folder. What its module adds is not there yet. */
      make(folder: string): Application;
    }
  | { readonly ok: false; readonly faults: readonly AppFault[]; readonly name?: string };

export type PackageRules = Pick<JudgeParts, 'keys' | 'requireSigned' | 'modules'>;

/** A fault that only the whole package shows; `path`: its place in its file. */
export type WholeFault = AppFault & { readonly path?: readonly string[] };

/** What comes from other rooms: parsers, and how an application is made of a package. Neither throws. */
export type WholeParts = {
  readonly parsers: PackageParsers;
  applicationOf(
    pkg: AppPackage,
    folder: string,
  ):
    | { readonly ok: true; readonly app: Application }
    | { readonly ok: false; readonly faults: readonly WholeFault[] };
};

/** Public keys of the configuration; a key is named by its file. Throws `config.unreadable` or `config.invalid`. */
export function packageRules(apps: {
  readonly trusted_keys: readonly string[];
  readonly require_signed: boolean;
  readonly modules: ModuleTrust;
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
  return { keys, requireSigned: apps.require_signed, modules: apps.modules };
}

/** The files of a package and the application that they make, judged whole. Runs nothing of it, never throws. */
export function judgeWhole(files: FilesResult, rules: PackageRules, parts: WholeParts): ReadPackage {
  const verdict = judgePackage(files, { parsers: parts.parsers, ...rules });
  if (!verdict.ok) return verdict;
  const { pkg } = verdict;
  const made = parts.applicationOf(pkg, '');
  if (!made.ok) {
    const faults = made.faults.map(({ path, ...fault }) => placed(pkg, fault, path, parts.parsers));
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
function placed(
  pkg: AppPackage,
  fault: AppFault,
  path: readonly string[] | undefined,
  { toml, yaml }: PackageParsers,
): AppFault {
  if (!path) return fault;
  const file = pkg.files.find((one) => one.path === fault.file);
  const parse = fault.file.endsWith('.toml') ? toml : yaml;
  const parsed = file && parse(new TextDecoder().decode(file.bytes));
  const line = parsed?.ok ? parsed.lineOf(path) : undefined;
  return {
    file: fault.file,
    ...(line === undefined ? {} : { line }),
    key: keyOf(path),
    problem: fault.problem,
  };
}
