import type { RobotAgentPorts } from '../../adapters/a2a/server/index.ts';
import type { A2aApi } from '../../contract/core.ts';
import type { Settings } from '../settings.ts';
import { VERSION } from '../version.ts';

/** This robot as an A2A agent; undefined where the configuration says no. Loads nothing before its first request. */
export function makeA2a(
  { config }: Pick<Settings, 'config'>,
  parts: Omit<RobotAgentPorts, 'robot' | 'version'>,
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
  return {
    card: async (...of) => (await endpoint()).card(...of),
    call: async (request) => (await endpoint()).call(request),
  };
}
