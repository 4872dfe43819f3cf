import { PushDesk } from '../../adapters/a2a/push/push-desk.ts';
import type { RobotAgentPorts } from '../../adapters/a2a/server/index.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { A2A_PUSH, type A2aApi, type CellContext, EdgeError, type RuntimeApi } from '../../contract/core.ts';
import { guardedPost } from '../../io/guarded-post.ts';
import type { Settings } from '../settings.ts';
import { VERSION } from '../version.ts';

/** Name of the file with push notification configs, in the data directory: they hold tokens of clients. */
const KEPT = 'a2a-push';

/** Posts states of tasks to receivers of clients; undefined where the configuration names none. */
export function makePush(
  { config, dataDir }: Pick<Settings, 'config' | 'dataDir'>,
  { clock, report }: Pick<CellContext, 'clock' | 'report'>,
  runtime: Pick<RuntimeApi, 'run'>,
): PushDesk | undefined {
  const { serve, push_to } = config.a2a;
  if (!serve || push_to.length === 0) return undefined;
  const secrets = new FileSecrets(dataDir, String(process.pid));
  return new PushDesk({
    ...{ clock, origins: push_to, report },
    post: guardedPost({ clock, answerMs: A2A_PUSH.ANSWER_MS }),
    keep: { read: () => secrets.read(KEPT), write: (text) => secrets.replace(KEPT, text) },
    bodies: async () => (await import('../../adapters/a2a/push/push-body.ts')).pushBody,
    run(id) {
      try {
        return runtime.run(id);
      } catch (thrown) {
        if (thrown instanceof EdgeError && thrown.code === 'run.not_found') return undefined;
        throw thrown;
      }
    },
  });
}

/** This robot as an A2A agent; undefined where the configuration says no. Loads nothing before its first request. */
export function makeA2a(
  { config }: Pick<Settings, 'config'>,
  parts: Omit<RobotAgentPorts, 'robot' | 'version' | 'push'> & { readonly push: PushDesk | undefined },
): A2aApi | undefined {
  if (!config.a2a.serve) return undefined;
  const open = async () => {
    const { A2aEndpoint } = await import('../../adapters/a2a/server/index.ts');
    return new A2aEndpoint({ ...parts, robot: config.daemon.name, version: VERSION });
  };
  let opened: ReturnType<typeof open> | undefined;
  const endpoint = () => {
    opened ??= open();
    return opened;
  };
  const { push } = parts;
  return {
    ...(push ? { push: () => push.stats() } : {}),
    card: async (...of) => (await endpoint()).card(...of),
    call: async (request) => (await endpoint()).call(request),
  };
}
