import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { answerAll } from '../support/http-answers.ts';
import { phase, type Rig, startRig, TOKEN } from '../support/http-rig.ts';
import { until } from '../support/until.ts';

const AURAISON = join(import.meta.dirname, '..', '..', 'bin', 'auraison');

/** Runs a command in a terminal of 40 columns, and prints whether it left the terminal as it was. */
const TERMINAL = `
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 40, 0, 0))
# The modes without what is on its way (PENDIN).
modes = lambda: [termios.tcgetattr(fd)[0], termios.tcgetattr(fd)[1], termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)]
before = modes()
seen = b""
sent = False
while True:
    try: data = os.read(fd, 4096)
    except OSError: break
    if not data: break
    seen += data
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    if not sent and b"explore" in seen:
        sent = True
        os.write(fd, b"\\x03")
after = modes()
print("\\nleft", before == after, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

let rig: Rig | undefined;
afterEach(() => rig?.stop());

describe('auraison watch in a terminal', () => {
  it('draws on a screen of its own, in 40 columns, and Ctrl-C leaves the terminal as it was', async () => {
    rig = await startRig();
    answerAll(rig);
    rig.logs.runtime.append(phase(1));
    const { NO_COLOR: _, ...env } = process.env;
    const child = spawn('python3', ['-c', TERMINAL, AURAISON, 'watch', '--every', '0.1'], {
      env: { ...env, TERM: 'xterm', AURAISON_URL: rig.url, AURAISON_TOKEN: TOKEN },
    });
    let text = '';
    let isOver = false;
    child.stdout.on('data', (data) => (text += data));
    child.on('close', () => (isOver = true));
    try {
      await until(() => isOver, 'the command has ended', 30_000);
    } finally {
      child.kill('SIGKILL');
    }
    expect(text).toMatch(/left True 0\n$/);
    const [before, drawn] = text.split('\u001b[?1049h');
    expect(before).toBe('');
    expect(drawn).toContain('\u001b[32m  live\u001b[0m');
    // The cursor is shown and the other screen left, and nothing is written after it.
    expect(text).toMatch(/\u001b\[0m\u001b\[\?25h\u001b\[\?1049l\s*left/);
    const last = drawn!.split('\u001b[H\u001b[J').at(-1)!;
    for (const line of last.replaceAll(/\u001b\[[\d;?]*[a-zA-Z]/g, '').split(/\r?\n/))
      if (!line.startsWith('left')) expect([...line].length).toBeLessThanOrEqual(40);
  });
});
