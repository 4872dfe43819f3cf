import { spawn } from 'node:child_process';
import { type Clock, EdgeError, withDeadline } from '../../contract/core.ts';
import { LOCAL_MODEL, type LocalModel } from './local-model.ts';

/** Loading the weights on a slow host, milliseconds. */
const START_MS = 120_000;
const COMPLAINT_CHARS = 1_000;

/** The command of its server; `{port}`, `{name}` and `{model}` are filled in where it is started. */
export function serveCommand({ python, serve }: LocalModel): readonly string[] {
  return [python, serve, '{model}', '--name', '{name}', '--port', '{port}'];
}

/** Serves it on a free port of loopback while `work` lasts. Rejects with `host.missing` where it does not start. */
export async function whileServed<T>(
  model: LocalModel,
  clock: Clock,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const args = [model.serve, model.weights, '--name', LOCAL_MODEL.id, '--port', '0', '--until-stdin-ends'];
  const child = spawn(model.python, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  let complaint = '';
  const port = new Promise<number>((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      said = (said + data.toString()).slice(-COMPLAINT_CHARS);
      const found = /port=(\d+)/.exec(said);
      if (found) resolve(Number(found[1]));
    });
    child.stderr.on('data', (data: Buffer) => {
      complaint = (complaint + data.toString()).slice(-COMPLAINT_CHARS);
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`it ended with code ${code}: ${complaint.trim()}`)));
  });
  try {
    const at = await withDeadline(clock, START_MS, port, 'start', 'the local model');
    return await work(`http://127.0.0.1:${at}/v1`);
  } catch (thrown) {
    throw EdgeError.from(thrown, 'host.missing', 'serve', 'the local model');
  } finally {
    child.stdin.on('error', () => {}).end();
    child.kill('SIGTERM');
    port.catch(() => {});
  }
}
