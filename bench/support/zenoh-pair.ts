import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { freePort } from '../../test/support/zenoh.ts';
import type { BenchDriver } from './zenoh-drivers.ts';
import type { PeerOptions, PeerRole } from './zenoh-peer-roles.ts';

export type PeerResult = Readonly<Record<string, unknown>>;

/** A process that is later than this has hung: a benchmark must end too. */
const RESULT_MS_MAX = 90_000;

/** Runs two processes of one driver against each other; what the one that measures printed. */
export async function runPair(
  driver: BenchDriver,
  [listener, connector]: readonly [PeerRole, PeerRole],
  options: PeerOptions,
): Promise<PeerResult> {
  const endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const children: ChildProcess[] = [];
  const start = (role: PeerRole) => {
    const [program = '', ...args] = [...driver.command, role, endpoint, JSON.stringify(options)];
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  };
  try {
    const first = start(listener);
    const lines = reader(first);
    await lines();
    const second = reader(start(connector));
    return connector === 'ask' ? await second() : await lines();
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map((child) => new Promise((resolve) => child.once('close', resolve))));
  }
}

function reader(child: ChildProcess): () => Promise<PeerResult> {
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing within ${RESULT_MS_MAX} ms`)), RESULT_MS_MAX);
    });
    try {
      const { value, done } = await Promise.race([lines.next(), late]);
      if (done) throw new Error(`the process has ended: ${child.spawnargs.slice(0, 4).join(' ')}`);
      return JSON.parse(value as string) as PeerResult;
    } finally {
      clearTimeout(timer);
    }
  };
}
