import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeView, Submitted } from '../../contract/index.ts';
import { AURAISON, ROOT, type TestDaemon, until } from './daemon.ts';

/** Where test/peers/acp.sh puts the stock agent; empty where none is published for this processor. */
export const OPENCODE = spawnSync('bash', [join(ROOT, 'test/peers/acp.sh'), 'paths'], { encoding: 'utf8' })
  .stdout.trim()
  .replace(/^opencode=/, '');

/** An application whose runs go to the runtime of this name. */
export function writeAcpApp(folder: string, runtime: string, intent: string): void {
  mkdirSync(join(folder, runtime), { recursive: true });
  writeFileSync(
    join(folder, runtime, 'app.toml'),
    `name = "${runtime}"
version = "0.1.0"
description = "Errands of a stock agent"
harness = "remote"
tools = ["robot.maneuver", "robot.state"]
deadline = "5 min"

[remote]
runtime = "${runtime}"
wait = "60 s"

[[intents]]
type = "${intent}"
description = "An errand"
`,
  );
}

/** What opencode needs to know a model on this host, and nothing else of the network. */
export function opencodeEnv(folder: string, modelUrl: string): string[] {
  const model = {
    npm: '@ai-sdk/openai-compatible',
    options: { baseURL: modelUrl, apiKey: 'none' },
    models: { tiny: {} },
  };
  const config = {
    ...{ provider: { local: model }, model: 'local/tiny', small_model: 'local/tiny' },
    ...{ autoupdate: false, share: 'disabled' },
  };
  return [
    `HOME=${folder}`,
    `XDG_CONFIG_HOME=${folder}/config`,
    `XDG_DATA_HOME=${folder}/data`,
    `XDG_CACHE_HOME=${folder}/cache`,
    `OPENCODE_CONFIG_CONTENT=${JSON.stringify(config)}`,
    'OPENCODE_DISABLE_MODELS_FETCH=1',
    'OPENCODE_DISABLE_AUTOUPDATE=1',
    'OPENCODE_DISABLE_LSP_DOWNLOAD=1',
  ];
}

/** `auraison runtimes acp NAME -- COMMAND` beside a daemon. */
export class AcpBridge {
  readonly child: ChildProcess;
  #said = '';

  constructor(
    daemon: TestDaemon,
    name: string,
    folder: string,
    config: string,
    env: string[],
    command: string[],
    more: string[] = [],
  ) {
    mkdirSync(folder, { recursive: true });
    const options = ['--folder', folder, ...env.flatMap((one) => ['--env', one]), ...more];
    const global = ['--data-dir', daemon.dataDir, '--config', config];
    this.child = spawn(AURAISON, [...global, 'runtimes', 'acp', name, ...options, '--', ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child.stderr!.on('data', (text: Buffer) => {
      this.#said += text.toString();
    });
  }

  get said(): string {
    return this.#said;
  }

  /** Settles when the daemon has it. */
  async connected(daemon: TestDaemon, name: string): Promise<void> {
    await until(async () => {
      const { runtimes } = await daemon.api.get<{ runtimes: RuntimeView[] }>('/v1/runtimes');
      if (this.child.exitCode !== null) throw new Error(`the bridge ended: ${this.#said}`);
      return runtimes.some((one) => one.name === name && one.state === 'connected');
    }, `${name} is connected`);
  }

  /** Gives its exit code. */
  async stop(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGTERM');
      await gone;
    }
    return this.child.exitCode;
  }
}

/**
 * An agent in a process of its own drives by the MCP server of its run. `base` has the configuration of the daemon, as
 * `robot.toml`.
 */
export async function errandOfAgent(
  daemon: TestDaemon,
  folder: string,
  base: string,
): Promise<{ readonly runId: string; stop(): Promise<unknown> }> {
  const main = join(ROOT, 'test/support/acp-hostile-main.ts');
  const command = [process.execPath, main, 'drive'];
  const bridge = new AcpBridge(daemon, 'coder', join(folder, 'acp'), join(base, 'robot.toml'), [], command);
  await bridge.connected(daemon, 'coder');
  const { run } = await daemon.api.post<Submitted>('/v1/intents', { type: 'coder/errand' });
  return { runId: run.run_id, stop: () => bridge.stop() };
}
