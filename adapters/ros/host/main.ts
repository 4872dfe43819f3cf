/**
 * The ROS host: the process that rclnodejs lives in. It may crash or hang without taking the execution cell
 * along. Descriptor 3 is the unix socket to the adapter; when that closes, the robot is stopped and this
 * process ends. argv: the folder of rclnodejs.
 */
import { Socket } from 'node:net';
import type { TopicSpec } from '../../../contract/index.ts';
import { LIMITS } from '../../../contract/limits.ts';
import { SystemClock } from '../../clock/system-clock.ts';
import { FrameReader } from '../frame-reader.ts';
import { sweepSharedMemory } from '../shared-memory.ts';
import { type Control, decodeJson, decodePublish, encodeJson, FRAME, type Notice } from '../wire.ts';
import { HostFault } from './fault.ts';
import { loadRclnodejs, needsGeneration } from './preflight.ts';
import { RosSession } from './session.ts';

/** Bytes waiting for a slow adapter; above that samples are dropped and counted. Two of the largest. */
const OUTGOING_BYTES_MAX = 2 * LIMITS.SAMPLE_BYTES_MAX;
/** Time for a last stop message to leave before the node goes down, milliseconds. */
const LAST_WORDS_MS = 80;
const ADAPTER_SOCKET_FD = 3;

const clock = new SystemClock();
const socket = new Socket({ fd: ADAPTER_SOCKET_FD, readable: true, writable: true });
let session: RosSession | undefined;
let ending = false;

const outlet = {
  notice(notice: Notice): void {
    if (!socket.destroyed) socket.write(encodeJson(FRAME.notice, notice));
  },
  sample(head: Buffer, message: Buffer): boolean {
    if (socket.destroyed || socket.writableLength > OUTGOING_BYTES_MAX) return false;
    socket.cork();
    socket.write(head);
    socket.write(message);
    process.nextTick(() => socket.uncork());
    return true;
  },
};

async function start(control: Extract<Control, { kind: 'start' }>): Promise<void> {
  const folder = process.argv[2] ?? '';
  const swept = sweepSharedMemory(Number(clock.now() / 1_000_000n));
  if (swept > 0) outlet.notice(told('info', `removed ${swept} shared-memory segments of dead processes`));
  outlet.notice({ kind: 'phase', phase: 'loading', message: 'loading rclnodejs' });
  const vendor = await loadRclnodejs(folder);
  if (needsGeneration(folder)) {
    outlet.notice({
      kind: 'phase',
      phase: 'generating',
      message: 'making message classes, once, up to minutes',
    });
  }
  // Arguments of the daemon are not meant for ROS.
  await vendor.rcl.init(undefined, []);
  // rclnodejs shuts down on SIGINT by itself; here the adapter says when, so that the stop comes first.
  process.removeAllListeners('SIGINT');
  process.on('SIGINT', () => {});
  const node = vendor.rcl.createNode(control.node, control.namespace);
  session = new RosSession(vendor, node, clock, outlet);
  node.spin();
  clock.every(LIMITS.HEARTBEAT_MS, () => outlet.notice({ kind: 'beat', lost: session?.lost() ?? {} }));
  const rmw = process.env['RMW_IMPLEMENTATION'] ?? 'default';
  outlet.notice({ kind: 'ready', rmw, distro: process.env['ROS_DISTRO'] ?? 'unknown' });
}

function told(level: 'info' | 'error', message: string): Notice {
  return { kind: 'event', level, topic: '', message };
}

function answer(id: number, spec: TopicSpec, work: (session: RosSession) => void): void {
  try {
    if (!session) throw new HostFault('ros.failed', 'prepare a topic', spec.topic, 'not started');
    work(session);
    outlet.notice({ kind: 'done', id });
  } catch (error) {
    const body = HostFault.from(error, 'prepare a topic', spec.topic).body;
    outlet.notice({ kind: 'failed', id, error: body });
  }
}

function obey(control: Control): void {
  switch (control.kind) {
    case 'start':
      start(control).catch((error: unknown) => {
        const body = HostFault.from(error, 'start the ROS node', control.node).body;
        outlet.notice({ kind: 'unusable', error: body });
      });
      return;
    case 'subscribe':
      answer(control.id, control.spec, (open) => open.subscribe(control.channel, control.spec));
      return;
    case 'advertise':
      answer(control.id, control.spec, (open) => open.advertise(control));
      return;
    case 'ping':
      return;
    case 'halt':
      session?.halt();
      return;
    case 'stop':
      end();
  }
}

/** The robot stops first; then the node leaves the graph; then the process ends. */
function end(): void {
  if (ending) return;
  ending = true;
  session?.adapterLost();
  clock.after(LAST_WORDS_MS, () => {
    try {
      // Exiting without this crashes in the destructors of rcl.
      session?.close();
    } finally {
      process.exit(0);
    }
  });
}

const reader = new FrameReader((kind, body) => {
  if (kind === FRAME.control) obey(decodeJson<Control>(body));
  else if (kind === FRAME.publish) {
    const { channel, bytes } = decodePublish(body);
    session?.publish(channel, bytes);
  }
});
socket.on('data', (chunk: Buffer) => reader.push(chunk));
socket.on('error', end);
socket.on('close', end);
socket.on('end', end);
process.on('SIGINT', () => {});
// systemd signals the whole group: the adapter, told as well, ends this process in order.
process.on('SIGTERM', () => {
  if (socket.destroyed) end();
});
