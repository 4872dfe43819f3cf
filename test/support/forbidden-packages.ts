import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { auraisonAsync, ROOT, until } from './daemon.ts';
import type { ForbiddenRobot } from './forbidden-robot.ts';
import type { Way } from './ways-to-move.ts';

/** Packages that want to drive: steps in a file, and runtimes in two languages that dial in. By way in: the intent. */
export const PACKAGED: readonly [Way, string][] = [
  ['steps of a file', 'steps/drive'],
  ['behavior tree of a file', 'tree/drive'],
  ['foreign runtime in Python', 'far_python/drive'],
  ['foreign runtime in TypeScript', 'far_typescript/drive'],
];

const RUNTIMES = {
  python: ['python3', 'python/patrol.py'],
  typescript: [process.execPath, 'typescript/patrol.ts'],
} as const;

const intent = (name: string) => `
[[intents]]
type = "${name}/drive"
description = "Drive a little"
`;
const head = (name: string, harness: string) => `name = "${name}"
version = "0.1.0"
description = "Drives"
harness = "${harness}"
tools = ["robot.maneuver", "robot.state"]
deadline = "2 min"
`;

/** Writes them below `folder`; keys of the configuration that takes them. */
export function writePackages(folder: string): string {
  const put = (name: string, file: string, text: string) => {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, file), text);
  };
  put('steps', 'app.toml', head('steps', 'flow') + intent('steps'));
  put(
    'steps',
    'flow.yaml',
    'steps:\n  - id: go\n    tool: robot.maneuver\n    args: { kind: drive, distance_m: 0.3 }\n' +
      '  - id: done\n    end: succeeded\n    reason: it drove\n',
  );
  put('tree', 'app.toml', head('tree', 'flow') + intent('tree'));
  put(
    'tree',
    'flow.xml',
    '<root BTCPP_format="4"><BehaviorTree ID="Main"><DriveOnHeading dist_to_travel="0.3"/></BehaviorTree></root>\n',
  );
  for (const name of Object.keys(RUNTIMES))
    put(
      `far-${name}`,
      'app.toml',
      `${head(`far-${name}`, 'remote')}[remote]\nruntime = "${name}"\nagent = "patrol"\n${intent(`far_${name}`)}`,
    );
  const accepted = [...Object.keys(RUNTIMES), 'coder'].map(
    (name) => `[[runtimes.accept]]\nname = "${name}"\n`,
  );
  return `[apps]\ndirs = ["${folder}"]\n${accepted.join('')}`;
}

/** Starts both runtimes; settles when they are connected. Gives back what ends them. */
export async function startRuntimes({ daemon }: ForbiddenRobot): Promise<() => void> {
  const { dataDir, api } = daemon;
  const { url } = JSON.parse(readFileSync(join(dataDir, 'run', 'api.json'), 'utf8')) as { url: string };
  const programs: ChildProcess[] = [];
  for (const [name, [command, file]] of Object.entries(RUNTIMES)) {
    const place = ['--config', join(dataDir, '..', 'robot.toml'), '--data-dir', dataDir];
    const { status, stdout, stderr } = await auraisonAsync(['runtimes', 'token', name, ...place]);
    if (status !== 0) throw new Error(`no token for ${name}: ${stderr}`);
    const env = {
      ...process.env,
      AURAISON_URL: url.replace('http:', 'ws:'),
      AURAISON_RUNTIME_TOKEN: stdout.trim(),
    };
    programs.push(spawn(command, [join(ROOT, 'clients', file)], { env, stdio: 'ignore' }));
  }
  await until(async () => {
    const { runtimes } = await api.get<{ runtimes: { name: string; state: string }[] }>('/v1/runtimes');
    const connected = runtimes.filter(({ state }) => state === 'connected').map(({ name }) => name);
    // Others may be connected beside them: that of the coding agent is started by the daemon.
    return Object.keys(RUNTIMES).every((name) => connected.includes(name));
  }, 'both runtimes are connected');
  return () => {
    for (const program of programs) program.kill('SIGKILL');
  };
}
