/**
 * The process of zenoh-ts. The library rejects promises that no caller can catch, retries without end, waits in
 * loops for dead sockets and writes to the console; a thread of it once ended the whole process by an abort of the
 * engine. Here this costs only a process that can be restarted, not the one that moves a robot.
 */
import { Config, open } from '@eclipse-zenoh/zenoh-ts';
import { pause } from '../../contract/core.ts';
import { SystemClock } from '../clock/system-clock.ts';
import { acknowledgeAtOnce } from './remote-acknowledge.ts';
import type { FromRemote, RemoteStart, ToRemote } from './remote-messages.ts';
import { RemoteSession } from './remote-session.ts';

/** An answer of the bridge; below the deadline of the daemon, above what a busy host needs. */
const RESPONSE_MS_MAX = 4_000;
/** How long the bridge may be silent before it is checked. */
const SILENCE_MS = 1_000;
const CLOSE_MS_MAX = 500;

const { url } = JSON.parse(process.argv[2]!) as RemoteStart;
const clock = new SystemClock();
// No receiver is left for the failure: without the daemon this process ends.
const post = (message: FromRemote) => void process.send!(message, undefined, undefined, () => {});

// The daemon says when to end, by word or by its own end: signals to the whole group are for the daemon, which still
// has the robot's last words to send.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit());
if (!process.connected) process.exit();

let ended = false;
function end(reason: string): void {
  if (ended) return;
  ended = true;
  remote?.drain();
  post({ op: 'down', reason });
  // The daemon ends this process when it has read all of it.
}

process.on('unhandledRejection', (thrown) => end(thrown instanceof Error ? thrown.message : String(thrown)));
process.on('uncaughtException', (error) => end(error.message));

let remote: RemoteSession | undefined;
try {
  const acknowledge = acknowledgeAtOnce();
  const session = await open(new Config(url, RESPONSE_MS_MAX));
  const socket = socketOf(session);
  acknowledge(socket);
  socket.addEventListener('close', () => end('the bridge closed the connection'));
  remote = new RemoteSession(session, socket, clock, post);
  // Zenoh prints ids without leading zeros; zenoh-ts keeps them.
  const zid = (await session.info())
    .zid()
    .toString()
    .replace(/^(0{2})+(?=..)/, '');
  process.on('message', (message: ToRemote) => {
    if (message.op === 'close') void close();
    else remote!.handle(message);
  });
  post({ op: 'up', zid });
  void watch();
} catch (error) {
  end(error instanceof Error ? error.message : String(error));
}

/** A bridge that is stopped, not dead, keeps its socket open: only a question shows it. */
async function watch(): Promise<void> {
  while (!ended) {
    const before = remote!.heard;
    await pause(clock, SILENCE_MS);
    post({ op: 'alive' });
    if (remote!.heard !== before) continue;
    try {
      await remote!.session.info();
    } catch {
      // Anything it sent in the meantime counts as an answer too.
      if (remote!.heard === before) end(`the bridge has not answered for ${RESPONSE_MS_MAX} ms`);
    }
  }
}

async function close(): Promise<void> {
  ended = true;
  const socket = socketOf(remote!.session);
  const closed = new Promise((resolve) => socket.addEventListener('close', resolve));
  remote!.session.close().catch(() => {});
  await Promise.race([closed, pause(clock, CLOSE_MS_MAX)]);
  process.exit();
}

/** zenoh-ts does not report that its socket has closed, nor how much waits in it; so both are polled here. */
function socketOf(session: unknown): WebSocket {
  const socket = (session as { inner?: { link?: { ws?: unknown } } }).inner?.link?.ws;
  if (!(socket instanceof WebSocket))
    throw new Error('this version of zenoh-ts gives no access to its socket');
  return socket;
}
