import { readFile } from 'node:fs/promises';
import { type CellContext, type ConfigChange, EdgeError, type PolicyDesk } from '../../contract/core.ts';
import { type WireKeysFile, wireKeysFault } from '../../formats/policy-wire/wire-keys.ts';
import type { WireServer, WireServerOptions } from '../../formats/policy-wire/wire-server.ts';
import { listenAddress } from '../config/serve.ts';
import type { Config } from '../config.ts';
import { type Serving, serveWires, type Wire, type WireConfig } from '../execution/serving/wire-servers.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';
import { leRobotOptions } from './serve-lerobot.ts';

type Start = (desk: PolicyDesk, options: WireServerOptions, serve: Config['serve']) => Promise<WireServer>;

/** Packages are loaded where an address asks for them. */
const STARTS: Readonly<Record<Wire, Start>> = {
  async lerobot(desk, options, serve) {
    const { serveLeRobot } = await import('../../adapters/lerobot/index.ts');
    return serveLeRobot(desk, { ...options, ...leRobotOptions(serve) });
  },
  async openpi(desk, options) {
    const { OpenPiServer } = await import('../../adapters/openpi/index.ts');
    return OpenPiServer.start(desk, options);
  },
  async groot(desk, options) {
    const { GrootServer } = await import('../../adapters/groot/index.ts');
    return GrootServer.start(desk, options);
  },
};

/** The servers of `[serve]`. */
export function makeServing(
  { config }: Settings,
  context: Pick<CellContext, 'clock' | 'bus' | 'report'>,
  desk: PolicyDesk,
): Serving {
  return serveWires({
    ...{ context, desk },
    wires: Object.keys(STARTS) as Wire[],
    config: wireConfig(config.serve),
    changed: (body) => {
      const { sections, config: changed } = body as ConfigChange;
      return sections.includes('serve') ? wireConfig((changed as Config).serve) : undefined;
    },
  });
}

function wireConfig(serve: Config['serve']): WireConfig {
  return {
    address: (wire) => serve[`${wire}_listen`],
    start: (wire, desk, options) => STARTS[wire](desk, options, serve),
    options: async (wire, address) => ({
      ...listenAddress(address),
      token: readSecret(serve.token_file, 'serve.token_file', process.env),
      clientsMax: serve.max_clients,
      deadlineMs: serve.timeout,
      keys: await readKeys(serve[`${wire}_keys`]),
    }),
  };
}

/** Throws `config.invalid` naming the file. */
async function readKeys(path: string): Promise<WireKeysFile> {
  if (path === '') return {};
  let fault: string | undefined;
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
    fault = wireKeysFault(value);
  } catch (cause) {
    fault = (cause as Error).message;
  }
  if (fault === undefined) return value as WireKeysFile;
  throw new EdgeError('config.invalid', {
    operation: 'read keys of a wire',
    subject: path,
    message: `${path}: ${fault}`,
    hint: 'docs/wires.md has the form of this file',
  });
}
