import {
  faultText,
  type PackageRules,
  packageRules,
  type ReadPackage,
} from '../../adapters/packages/index.ts';
import { type AppFault, EdgeError } from '../../contract/core.ts';
import { judgeWhole } from '../../daemon/compose/package-reader.ts';
import type { Settings } from '../../daemon/settings.ts';
import { filesOf } from './package-source.ts';

export type GoodPackage = ReadPackage & { readonly ok: true };

/** A package as people name it, judged by the rules of the configuration. */
export function judged(spec: string, settings: Settings): ReadPackage {
  return judgeWhole(filesOf(spec), packageRules(settings.config.apps));
}

/** The same; throws `config.invalid` with every fault. */
export function goodPackage(spec: string, settings: Settings, rules?: Partial<PackageRules>): GoodPackage {
  const read = judgeWhole(filesOf(spec), { ...packageRules(settings.config.apps), ...rules });
  if (read.ok) return read;
  throw new EdgeError('config.invalid', {
    operation: 'read package',
    subject: spec,
    message: faultsText(spec, read.faults),
    hint: 'auraison app check says the same; docs/write-an-app.md describes the files',
  });
}

export function faultsText(spec: string, faults: readonly AppFault[]): string {
  return [`${spec} is no package that can be used:`, ...faults.map((fault) => `  ${faultText(fault)}`)].join(
    '\n',
  );
}
