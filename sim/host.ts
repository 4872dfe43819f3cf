import { randomUUID } from 'node:crypto';
import { fstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import { EdgeError } from '../contract/core.ts';
import { type HostArguments, parseHostArguments, USAGE } from './host-options.ts';
import { HostServer } from './host-server.ts';
import type { HostedWorld } from './hosted-world.ts';
import { generateMaze } from './maze.ts';
import { drawMaze } from './maze-drawing.ts';
import { describeRobot, type RobotDescription } from './protocol.ts';
import { Simulation } from './simulation.ts';

/** Entry of the process that is the simulated robot: `node sim/host.ts --socket PATH [--seed 1] …`. */

/** A socket file without a listener is what a killed host left behind; one in use is refused by `listen`. */
function sweep(path: string): Promise<void> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve();
    });
    probe.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') rmSync(path, { force: true });
      resolve();
    });
  });
}

/** A pipe at standard input belongs to the parent process; when it ends, the parent is gone. */
function hasParent(): boolean {
  const input = fstatSync(0);
  return input.isFIFO() || input.isSocket();
}

/** Ctrl-C at a terminal, and its closing, reach parent and child at once: the parent decides when the robot goes. */
function obeyParent(end: () => void): void {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  process.stdin.on('end', end);
  process.stdin.on('error', end);
  process.stdin.resume();
}

async function makeWorld(
  args: HostArguments,
): Promise<{ simulation: HostedWorld; description: RobotDescription }> {
  if (args.world === 'maze') {
    const simulation = await Simulation.create(args.seed, args);
    return { simulation, description: describeRobot(randomUUID(), args.seed, args.pace) };
  }
  // Each world loads only what it needs.
  const { describeArm, HostedArm } = await import('./arm/hosted-arm.ts');
  return {
    simulation: await HostedArm.create(args),
    description: describeArm(randomUUID(), args, args.pace),
  };
}

async function serve(args: HostArguments, socket: string): Promise<void> {
  const { simulation, description } = await makeWorld(args);
  const { pace, speed } = args;
  const server = new HostServer({ simulation, description, pace, speed, clock: new SystemClock() });
  const end = () => {
    server.close();
    process.exit(0);
  };
  process.once('SIGTERM', end);
  if (hasParent()) obeyParent(end);
  else process.once('SIGINT', end);
  await sweep(socket);
  // The robot obeys every client that connects, so only this user may.
  process.umask(0o077);
  await server.listen(socket);
  await server.run();
}

try {
  const args = parseHostArguments(process.argv.slice(2));
  if (args.socket === undefined) process.stdout.write(drawMaze(generateMaze(args.seed, args)));
  else await serve(args, args.socket);
} catch (error) {
  const usage = error instanceof EdgeError ? '' : `\n${USAGE}`;
  process.stderr.write(`sim: ${error instanceof Error ? error.message : String(error)}${usage}\n`);
  process.exit(error instanceof EdgeError ? 1 : 64);
}
