import { randomBytes } from 'node:crypto';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { type Application, type CellContext, EdgeError, type Harness } from '../../contract/core.ts';
import { runtimeToken } from '../../io/runtime-token.ts';
import { RemoteHarness } from '../runtime/remote/remote-harness.ts';
import type { RunPauses } from '../runtime/remote/remote-run.ts';
import { RemoteRuntimes } from '../runtime/remote/remote-runtimes.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

export type Remote = {
  readonly runtimes: RemoteRuntimes | undefined;
  readonly harnesses: { readonly remote: (app: Application) => Harness };
};

/** Foreign runtimes of `[runtimes]`, and the harness of applications that run in one. */
export async function makeRemote(
  { config, dataDir }: Settings,
  { clock, report }: CellContext,
  pauses: RunPauses,
): Promise<Remote> {
  const { accept, heartbeat, keep } = config.runtimes;
  const secrets = new FileSecrets(dataDir, String(process.pid));
  const identities = await Promise.all(
    accept.map(async ({ name, token_file }) => ({
      name,
      token:
        readSecret(token_file, `runtimes.accept: ${name}`, process.env) ??
        (await runtimeToken(secrets, name)),
    })),
  );
  if (new Set(identities.map(({ token }) => token)).size < identities.length)
    throw new EdgeError('config.invalid', {
      ...{ operation: 'read tokens', subject: 'runtimes.accept' },
      message: 'two runtimes have the same token',
    });
  const runtimes = new RemoteRuntimes({
    ...{ robot: config.daemon.name, clock, identities, heartbeatMs: heartbeat, keepMs: keep, report },
    sessionId: () => randomBytes(16).toString('hex'),
  });
  return {
    runtimes: identities.length > 0 ? runtimes : undefined,
    harnesses: { remote: (app) => new RemoteHarness(app, runtimes, pauses) },
  };
}
