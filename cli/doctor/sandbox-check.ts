import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { makeSandbox, SANDBOX_PROVIDERS } from '../../adapters/sandbox/index.ts';
import type { SandboxProbe } from '../../contract/core.ts';
import { makeSandboxes, searchPathOf } from '../../daemon/compose/sandboxes.ts';
import { sandboxWarnings } from '../../daemon/config/sandboxes.ts';
import type { Settings } from '../../daemon/settings.ts';
import type { Check } from './checks.ts';

/** Who may bring what it needs in one command. */
const INSTALL = 'sudo apt install bubblewrap';

/**
 * Which providers of sandboxes work on this host, each profile of the configuration by a program that is started in
 * it, and who runs without a sandbox without the word of the configuration.
 */
export async function checkSandboxes({ config, dataDir }: Settings): Promise<Check> {
  const name = 'sandbox';
  const clock = new SystemClock();
  const sandboxes = makeSandboxes({ config, dataDir }, clock);
  const profiles = await Promise.all(
    sandboxes.names.map(async (one) => [`profile ${one}`, await sandboxes.tryOut(one)] as const),
  );
  const providers = await Promise.all(
    SANDBOX_PROVIDERS.map(
      async (one) =>
        [
          one,
          await makeSandbox(one, { clock, dataDir, searchPath: searchPathOf(process.env) }).probe(),
        ] as const,
    ),
  );
  const detail = [...providers, ...profiles].map(([who, probe]) => `${who}: ${wordsOf(probe)}`).join('; ');
  const broken = profiles.filter(([, { ready }]) => !ready);
  if (broken.length > 0) {
    const fix = broken.map(([who, probe]) => `${who}: ${probe.fix}`).join('; ');
    return { name, state: 'bad', detail, fix };
  }
  const warnings = sandboxWarnings(config);
  if (warnings.length > 0)
    return { name, state: 'absent', detail: [...warnings, detail].join('; '), fix: fixOf(warnings) };
  const works = providers.some(([, { ready }]) => ready);
  return works
    ? { name, state: 'ok', detail, fix: '' }
    : { name, state: 'absent', detail, fix: fixesOf(providers) };
}

function wordsOf({ ready, detail }: SandboxProbe): string {
  return ready ? `works, ${detail}` : detail;
}

function fixOf(warnings: readonly string[]): string {
  return `docs/sandboxes.md: a profile, or sandbox = "none" (${warnings.length} without)`;
}

/** Those of this host: the others are asked for by profiles. */
function fixesOf(providers: readonly (readonly [string, SandboxProbe])[]): string {
  const [, bubblewrap] = providers[0]!;
  return bubblewrap.fix === '' ? INSTALL : bubblewrap.fix;
}
