import { packagePolicyFaults } from '../../adapters/cedar/index.ts';
import { readTimeTable } from '../../adapters/cron/cron-time-table.ts';
import {
  type FilesResult,
  judgeWhole as judgeByParts,
  type PackageParsers,
  type PackageRules,
  PackageShelf,
  type Parsed,
  packageRules,
  type ReadPackage,
  readPackageFiles,
  type ShelfParts,
  type ShelfRules,
} from '../../adapters/packages/index.ts';
import { parsePlainYaml, parseSkill, splitFrontMatter } from '../../adapters/skills/index.ts';
import { type Application, type AppView, EdgeError } from '../../contract/core.ts';
import { lineOfKey, lineOfRowKey } from '../config/toml-lines.ts';
import { tomlOf } from '../config.ts';
import { applicationOf } from '../runtime/packages/application-of.ts';
import type { Settings } from '../settings.ts';
import { runsAsAgent, unreadRules } from './shelf-rules.ts';

/** A package in a folder, read and judged whole. Runs nothing of it, never throws. */
export function readPackage(folder: string, rules: PackageRules): ReadPackage {
  return judgeWhole(readPackageFiles(folder), rules);
}

/** The same of files that came another way. */
export function judgeWhole(files: FilesResult, rules: PackageRules): ReadPackage {
  return judgeByParts(files, rules, { parsers: PARSERS, applicationOf });
}

/** The packages of a configuration, not read yet. `builtIn`: names and intents that are taken. */
export function makePackageShelf(
  { config: { apps }, dataDir }: Pick<Settings, 'config' | 'dataDir'>,
  builtIn: readonly Application[],
  own: ShelfRules,
  checkPolicies?: ShelfParts['checkPolicies'],
): PackageShelf {
  const rules = () => packageRules(apps);
  return new PackageShelf(
    {
      ...{ dataDir, dirs: apps.dirs, requireSigned: apps.require_signed, modules: apps.modules },
      ...{ rules, read: readPackage, own },
      ...(checkPolicies ? { checkPolicies } : {}),
    },
    builtIn,
  );
}

/** Every application that a daemon with these settings would run, as far as it can be read; no code of it runs. */
export function usableApps(settings: Settings): readonly Application[] {
  const shelf = makePackageShelf(settings, [], unreadRules(settings));
  shelf.read();
  return shelf.apps.map(({ app }) => (runsAsAgent(app.name, settings) ? { ...app, harness: 'pi' } : app));
}

/** What a daemon with these settings would load; for the command line. */
export function appsOnDisk(settings: Settings): readonly AppView[] {
  const shelf = makePackageShelf(settings, [], unreadRules(settings));
  shelf.read();
  return shelf.views();
}

const PARSERS: PackageParsers = {
  policyFaults: packagePolicyFaults,
  toml: readToml,
  yaml: parsePlainYaml,
  frontMatter: splitFrontMatter,
  cronFault(cron, zone) {
    try {
      readTimeTable(cron, zone);
      return undefined;
    } catch (thrown) {
      const { message, hint } = EdgeError.from(thrown, 'config.invalid', 'read schedule', cron);
      return `${message}; ${hint}`;
    }
  },
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
