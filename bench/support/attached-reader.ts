/** One Foxglove client in a process of its own, for bench/attached.ts; it stops reading where it is asked to. */
import { WebSocket } from 'ws';

export type ReaderReport = {
  readonly kind: 'report';
  /** By topic: messages, and how late each was, milliseconds. */
  readonly topics: Readonly<Record<string, { readonly count: number; readonly lateMs: readonly number[] }>>;
  /** What the server said of lost messages. */
  readonly lost: number;
};

const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}`, ['foxglove.websocket.v1']);
const channels = new Map<number, string>();
const seen = new Map<string, { count: number; lateMs: number[] }>();
let lost = 0;

socket.on('message', (data: Buffer, isBinary: boolean) => {
  if (isBinary) return take(data);
  const message = JSON.parse(data.toString()) as {
    readonly op: string;
    readonly message?: string;
    readonly channels?: readonly { readonly id: number; readonly topic: string }[];
  };
  if (message.op === 'status') lost += Number(/\d+/.exec(message.message ?? '')?.[0] ?? 0);
  if (message.op !== 'advertise') return;
  const wanted = message.channels!.filter(({ topic }) => topic === '/camera' || topic === '/joint_states');
  for (const { id, topic } of wanted) channels.set(id, topic);
  const subscriptions = wanted.map(({ id }) => ({ id, channelId: id }));
  socket.send(JSON.stringify({ op: 'subscribe', subscriptions }));
});
socket.on('error', (error) => process.stderr.write(`${error}\n`));

/** Frame of a message: opcode 1, id of the subscription, log time in nanoseconds. */
function take(data: Buffer): void {
  if (data[0] !== 1) return;
  const topic = channels.get(data.readUInt32LE(1)) ?? '';
  const of = seen.get(topic) ?? { count: 0, lateMs: [] };
  seen.set(topic, of);
  of.count += 1;
  of.lateMs.push(performance.timeOrigin + performance.now() - Number(data.readBigUInt64LE(5)) / 1e6);
}

process.on('message', (order: 'report' | 'stall' | 'resume' | 'end') => {
  if (order === 'stall') socket.pause();
  else if (order === 'resume') socket.resume();
  else if (order === 'end') process.exit(0);
  else {
    const report: ReaderReport = { kind: 'report', topics: Object.fromEntries(seen), lost };
    process.send!(report);
    seen.clear();
    lost = 0;
  }
});
