/** What a program gets that wants out of where it runs. Imports nothing of this project: it is copied into packages. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';

export type Wanted = {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  readonly ports: readonly number[];
  readonly pid: number;
  /** Seconds of a process that is meant to stay. */
  readonly stays: string;
};

/** What came of each, or the code of its error. */
export async function escapes({
  files,
  folders,
  ports,
  pid,
  stays,
}: Wanted): Promise<Record<string, string>> {
  const got: Record<string, string> = {};
  const attempt = (what: string, work: () => unknown) => {
    try {
      got[what] = String(work());
    } catch (error) {
      got[what] = (error as NodeJS.ErrnoException).code ?? String(error);
    }
  };
  for (const path of files) attempt(`read ${path}`, () => readFileSync(path, 'utf8').length > 0 && 'read');
  for (const path of folders)
    attempt(`write ${path}`, () => {
      writeFileSync(`${path}/escaped`, 'x');
      return 'written';
    });
  attempt('environment', () => readFileSync(`/proc/${pid}/environ`).length > 0 && 'read');
  attempt('signal', () => process.kill(pid, 0) && 'sent');
  attempt('stays', () => {
    spawn('setsid', ['sleep', stays], { stdio: 'ignore', detached: true }).unref();
    return 'started';
  });
  for (const port of ports)
    got[`dial ${port}`] = await new Promise<string>((resolve) => {
      const link = connect(port, '127.0.0.1', () => {
        link.destroy();
        resolve('connected');
      });
      link.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  return got;
}
