/**
 * The ROS host: the process that rclnodejs lives in. It may crash or hang without taking the execution cell
 * along. Descriptor 3 is the unix socket to the adapter; when that closes, the robot is stopped and this
 * process ends. argv: the folder of rclnodejs.
 */

import { Socket } from 'node:net';
import { totalmem } from 'node:os';
import type { TopicSpec } from '../../../contract/index.ts';
import { LIMITS } from '../../../contract/limits.ts';
import { SystemClock } from '../../clock/system-clock.ts';
import { type ApiNews, decodeApiRequest, decodeApiWord, encodeApi } from '../api-wire.ts';
import { FrameReader } from '../frame-reader.ts';
import { sweepSharedMemory } from '../shared-memory.ts';
import {
  type Control,
  decodeJson,
  decodePublish,
  encodeFrame,
  encodeJson,
  FRAME,
  type Notice,
  type StartOptions,
} from '../wire.ts';
import { ApiSession } from './api-session.ts';
import { HostFault, messageOf } from './fault.ts';
import { loadRclnodejs, needsGeneration } from './preflight.ts';
import { RosSession } from './session.ts';
import type { Node, Rclnodejs, Vendor } from './vendor.ts';

/**
 * Bytes waiting for a slow adapter; above that samples are dropped and counted. At 150 MB/s some three seconds: on
 * two busy cores it falls behind by one now and then. At least two of the largest, at most an eighth of the memory.
 */
const OUTGOING_BYTES_MAX = Math.max(
  2 * LIMITS.SAMPLE_BYTES_MAX,
  Math.min(8 * LIMITS.SAMPLE_BYTES_MAX, totalmem() / 8),
);
/** Samples up to this have room of their own beyond it: clouds that fill the socket do not cost joint states. */
const SMALL_BYTES_MAX = 64 * 1024;
const OUTGOING_SMALL_BYTES_MAX = OUTGOING_BYTES_MAX + 16 * 1024 * 1024;
/** Time for a last stop message to leave before the node goes down, milliseconds. */
const LAST_WORDS_MS = 80;
const ADAPTER_SOCKET_FD = 3;

const clock = new SystemClock();
const socket = new Socket({ fd: ADAPTER_SOCKET_FD, readable: true, writable: true });
let session: RosSession | undefined;
let api: ApiSession | undefined;
let ending = false;

const outlet = {
  notice(notice: Notice): void {
    if (!socket.destroyed) socket.write(encodeJson(FRAME.notice, notice));
  },
  sample(head: Buffer, message: Buffer): boolean {
    const room = message.length <= SMALL_BYTES_MAX ? OUTGOING_SMALL_BYTES_MAX : OUTGOING_BYTES_MAX;
    if (socket.destroyed || socket.writableLength > room) return false;
    socket.cork();
    socket.write(head);
    socket.write(message);
    process.nextTick(() => socket.uncork());
    return true;
  },
  api(news: ApiNews): void {
    if (!socket.destroyed) socket.write(encodeFrame(FRAME.apiNews, encodeApi(news)));
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
  // rclnodejs shuts down on SIGINT automatically; here the adapter says when, so that the stop comes first.
  process.removeAllListeners('SIGINT');
  process.on('SIGINT', () => {});
  const node = makeNode(vendor, control);
  session = new RosSession(vendor, node, clock, outlet, control);
  api = new ApiSession(vendor.rcl, node, clock, outlet.api, fault);
  node.spin();
  clock.every(LIMITS.HEARTBEAT_MS, () => outlet.notice({ kind: 'beat', lost: session?.lost() ?? {} }));
  const rmw = process.env['RMW_IMPLEMENTATION'] ?? 'default';
  outlet.notice({ kind: 'ready', rmw, distro: process.env['ROS_DISTRO'] ?? 'unknown' });
}

function makeNode({ rcl }: Vendor, { node: name, namespace, useSimTime }: StartOptions): Node {
  const node = useSimTime
    ? rcl.createNode(name, namespace, undefined, simTimeOptions(rcl))
    : rcl.createNode(name, namespace);
  // A throw out of a callback of rclnodejs ends the process uncatchably: a malformed answer of another node
  // costs that answer and nothing else.
  const execute = node.execute.bind(node);
  node.execute = (handles) => {
    try {
      execute(handles);
    } catch (error) {
      fault('read from the middleware', error);
    }
  };
  return node;
}

function simTimeOptions(rcl: Rclnodejs): object {
  return new rcl.NodeOptions(true, [
    new rcl.Parameter('use_sim_time', rcl.ParameterType.PARAMETER_BOOL, true),
  ]);
}

function fault(operation: string, error: unknown): void {
  outlet.notice(told('error', `${operation}: ${messageOf(error)}`));
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
      answer(control.id, control.spec, (open) => open.subscribe(control));
      return;
    case 'unsubscribe':
      session?.unsubscribe(control.channel);
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
      api?.close();
      // Exiting without this crashes in the destructors of rcl.
      session?.close();
    } finally {
      process.exit(0);
    }
  });
}

/** A call that cannot be read is left to its deadline: the robot is not to lose its guard for it. */
function hear(kind: number, body: Buffer): void {
  try {
    if (kind === FRAME.apiCall) api?.request(decodeApiRequest(body));
    else if (kind === FRAME.apiWord) api?.word(decodeApiWord(body));
  } catch (error) {
    fault('read what the adapter asks', error);
  }
}

const reader = new FrameReader((kind, body) => {
  if (kind === FRAME.control) obey(decodeJson<Control>(body));
  else if (kind === FRAME.publish) {
    const { channel, expiresAtMs, bytes } = decodePublish(body);
    session?.publish(channel, bytes, expiresAtMs);
  } else hear(kind, body);
});
socket.on('data', (chunk: Buffer) => reader.push(chunk));
socket.on('error', end);
socket.on('close', end);
socket.on('end', end);
process.on('SIGINT', () => {});
// systemd signals the whole group: the adapter gets the signal too and ends this process in order.
process.on('SIGTERM', () => {
  if (socket.destroyed) end();
});
