import { openPolicySet, readPolicySource } from '../../adapters/cedar/index.ts';
import { EdgeError } from '../../contract/core.ts';
import { lineOfKey } from '../config/toml-lines.ts';
import type { Config, ConfigFault } from '../config.ts';
import { readModel } from './safety.ts';

/**
 * What the daemon would not take of the files that a correct configuration names: policies and entities, by the readers
 * of the daemon, the URDF of the gate, and the keys that sign applications. Never rejects.
 */
export async function contentFaults(
  config: Config,
  { source, file }: { readonly source: string; readonly file: string },
): Promise<ConfigFault[]> {
  const { policy, gate, apps } = config;
  const folder = policy.dir === '' ? 'files' : 'dir';
  const looks = [
    {
      path: ['policy', folder] as const,
      value: folder === 'dir' ? policy.dir : policy.files,
      skip: policy.dir === '' && policy.files.length === 0,
      look: async () => (await openPolicySet(readPolicySource(policy.dir, policy.files))).judge.close(),
      fix: 'auraison policy check',
    },
    {
      path: ['gate', 'urdf'] as const,
      value: gate.urdf,
      skip: gate.urdf === '',
      look: async () => void readModel(gate.urdf),
      fix: 'docs/safety.md, "The joint gate"',
    },
    {
      path: ['apps', 'trusted_keys'] as const,
      value: apps.trusted_keys,
      skip: apps.trusted_keys.length === 0,
      look: async () => void (await import('../../adapters/packages/index.ts')).packageRules(apps),
      fix: 'docs/write-an-app.md',
    },
  ];
  const faults: ConfigFault[] = [];
  for (const { path, value, skip, look, fix } of looks) {
    if (skip) continue;
    try {
      await look();
    } catch (thrown) {
      const { message, subject, cause } = EdgeError.from(thrown, 'config.invalid', 'read', path.join('.'));
      // The daemon may run as another user.
      if (isForbidden(cause) || isForbidden(thrown)) continue;
      const at = message.includes(subject) ? '' : `${subject}: `;
      const expected = `files that the daemon takes: ${at}${message} (${fix})`;
      faults.push({
        file,
        line: lineOfKey(source, path),
        key: path.join('.'),
        value: JSON.stringify(value),
        expected,
      });
    }
  }
  return faults;
}

function isForbidden(error: unknown): boolean {
  const code = (error as { code?: unknown; cause?: { code?: unknown } } | undefined)?.code;
  return code === 'EACCES' || code === 'EPERM';
}
