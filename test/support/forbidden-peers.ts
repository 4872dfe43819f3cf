import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AURAISON, auraisonAsync, ROOT } from './daemon.ts';

const DRIVE = `
[[policies]]
name = "drive"
kind = "onnx"
path = "${join(ROOT, 'apps/turtlebot-maze/policy/drive.onnx')}"
[[controllers]]
name = "base"
rate = "10 Hz"
output = "/cmd_vel"
kind = "twist"
[[controllers.inputs]]
name = "observation.state"
topic = "/odom"
`;

export type BaseParts = {
  /** Of central. */
  readonly url: string;
  readonly tokenFile: string;
  /** A free port for the router. */
  readonly zenoh: number;
  /** Free ports for programs that attach. */
  readonly attached: { readonly Foxglove: number; readonly rosbridge: number };
  readonly intent: string;
};

/** A robot with a base and every way in that a configuration opens, but packages. */
export const baseToml = ({ url, tokenFile, zenoh, attached, intent }: BaseParts) =>
  `[daemon]
name = "r1"
[sim]
width = 3
height = 3
[runs]
auto_start = "${intent}"
[intents]
zenoh = true
central = true
[link]
central_url = "${url}"
token_file = "${tokenFile}"
[zenoh]
enabled = true
mode = "router"
listen = ["tcp/127.0.0.1:${zenoh}"]
prefix = "fleet/r1"
[foxglove]
port = ${attached.Foxglove}
[rosbridge]
port = ${attached.rosbridge}
[[routes]]
name = "steering"
from = "zenoh:steer/r1"
to = "ros:/cmd_vel"
type = "geometry_msgs/msg/Twist"
[[schedules]]
name = "often"
cron = "*/5 * * * * *"
intent = "${intent}"
${DRIVE}`;

export type Central = {
  readonly url: string;
  /** Of the robots. */
  readonly tokenFile: string;
  readonly orders: (...args: string[]) => Promise<Record<string, unknown>>;
  end(): Promise<void>;
};

/** The coordinator of the command line, and orders of its operator. */
export async function startCentral(dataDir: string, port: number): Promise<Central> {
  const args = ['central', '--data-dir', dataDir, '--port', String(port), '--json'];
  const child = spawn(AURAISON, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    tokenFile: join(dataDir, 'token'),
    orders: async (...order) => {
      const token = join(dataDir, 'operator-token');
      const done = await auraisonAsync(['orders', ...order, '--url', url, '--token-file', token, '--json']);
      return JSON.parse(done.stdout) as Record<string, unknown>;
    },
    async end() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** An extension whose tool drives a little. */
export function writeNudge(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'nudge.ts'),
    `export default (pi) => pi.registerTool({
  name: 'nudge', description: 'drives a little', parameters: { type: 'object', properties: {} },
  edge: { effect: 'actuate', replay: 'never', deadlineMs: 10000 },
  async execute(_id, _args, _signal, _update, { robot }) {
    const { outcome } = await robot.maneuver({ kind: 'drive', distance: 0.3 });
    return { content: [{ type: 'text', text: outcome }], details: { outcome } };
  },
});
`,
  );
}
