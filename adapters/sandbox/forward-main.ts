/**
 * Runs inside of a sandbox that may reach places outside, before its program: listens where the program looks for
 * these places, and leads each connection to a socket of the host, behind which only that place is. It holds no
 * rule: the program may end or trace it and gains nothing. It imports nothing of this project: only this file is there.
 *
 * Usage: forward.mts ADDRESS:PORT=SOCKET... -- PROGRAM [ARGUMENT...]
 */
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';

const args = process.argv.slice(2);
const end = args.indexOf('--');
for (const entry of args.slice(0, end)) {
  const [, address, port, path] = /^([^=]*):(\d+)=(.*)$/.exec(entry) as unknown as [
    string,
    string,
    string,
    string,
  ];
  const server = createServer({ allowHalfOpen: true }, (inside) => {
    const outside = connect({ path, allowHalfOpen: true });
    inside.on('error', () => outside.destroy()).on('close', () => outside.destroy());
    outside.on('error', () => inside.destroy()).on('close', () => inside.destroy());
    inside.pipe(outside);
    outside.pipe(inside);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(port), address, resolve);
  });
}
const [file, ...rest] = args.slice(end + 1) as [string, ...string[]];
const child = spawn(file, rest, { stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
child.once('error', (error) => {
  process.stderr.write(`${file} cannot be started: ${error.message}\n`);
  process.exit(127);
});
child.once('exit', (code) => process.exit(code ?? 137));
