import { createServer } from 'node:net';
import { join } from 'node:path';
import type { CommandContext } from '../../cli/context.ts';
import { apiClient } from '../../daemon/client/api-client.ts';
import { loadSettings } from '../../daemon/settings.ts';
import type { Rig } from './http-rig.ts';

/** A person at the command line, with `robot.toml` and the data directory `data` in this folder, and this idea of the port. */
export function personAt(folder: string, port: number, env: Record<string, string> = {}) {
  const told: string[] = [];
  const results: unknown[] = [];
  const settings = loadSettings(join(folder, 'robot.toml'), {
    ...{ AURAISON_API_PORT: String(port), AURAISON_DAEMON_DATA_DIR: join(folder, 'data') },
  });
  const out = {
    result: (value: unknown, text: () => string) => {
      results.push(value);
      told.push(text());
    },
    note: (text: string) => void told.push(text),
  };
  const context = { settings, out, api: apiClient(settings, env) } as unknown as CommandContext;
  return { context, told, results };
}

export const portOf = ({ url }: Rig) => Number(new URL(url).port);

/** A port where nothing listens: it was free a moment ago. */
export async function nobodysPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
