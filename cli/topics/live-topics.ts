import { EdgeError } from '../../contract/core.ts';
import { endpointOf } from '../../daemon/client/api-client.ts';
import type { Settings } from '../../daemon/settings.ts';
import { WebSocket } from '../../io/web-socket.ts';

/** A topic as the daemon offers it. `schema`: its definition with dependencies (`ros2msg`). */
export type LiveTopic = {
  readonly id: number;
  readonly topic: string;
  readonly encoding: string;
  readonly schemaName: string;
  readonly schema: string;
};
/** `atNs`: when the daemon received it, nanoseconds of the robot's clock. */
export type LiveMessage = { readonly atNs: bigint; readonly bytes: Uint8Array; readonly from: LiveTopic };

type Told =
  | { readonly op: 'advertise'; readonly channels: readonly LiveTopic[] }
  | { readonly op: 'status'; readonly level: number; readonly message: string }
  | { readonly op: string };

const PATH = '/v1/live';
const PROTOCOL = 'foxglove.sdk.v1';
/** Opcode, subscription, time of reception. */
const HEAD_BYTES = 13;
const MESSAGE = 1;
const FRAME_BYTES_MAX = 128 * 1024 * 1024;
const OPEN_MS = 15_000;

export type FollowOptions = {
  readonly settings: Settings;
  readonly topic: string;
  /** The topic is offered; its messages come next. */
  readonly offered?: (topic: LiveTopic) => void;
  /** There are topics, and this is not among them yet. */
  readonly missing?: () => void;
  /** What the robot could not send: this end reads too slowly. */
  readonly note: (text: string) => void;
  readonly take: (message: LiveMessage) => void;
  readonly signal: AbortSignal;
};

/**
 * Messages of one topic over `GET /v1/live`, until `signal` aborts. A topic that is not offered yet is waited for.
 * Rejects where the daemon is not there, refuses, or goes away.
 */
export function followTopic(options: FollowOptions): Promise<void> {
  const { settings, topic, offered, missing, note, take, signal } = options;
  const { url, token } = endpointOf(settings, PATH);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, [PROTOCOL], {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    handshakeTimeout: OPEN_MS,
    maxPayload: FRAME_BYTES_MAX,
  });
  let found: LiveTopic | undefined;
  const heard = (told: Told) => {
    if (told.op === 'status') {
      const { level, message } = told as Extract<Told, { op: 'status' }>;
      if (level > 0) note(message);
    }
    if (told.op !== 'advertise') return;
    const { channels } = told as Extract<Told, { op: 'advertise' }>;
    const next = channels.find((one) => one.topic === topic);
    if (!next) {
      if (!found) missing?.();
      return;
    }
    found = next;
    offered?.(next);
    socket.send(JSON.stringify({ op: 'subscribe', subscriptions: [{ id: next.id, channelId: next.id }] }));
  };
  return new Promise<void>((resolve, reject) => {
    const end = () => {
      resolve();
      socket.terminate();
    };
    const fail = (message: string, code: 'cell.unavailable' | 'api.unauthorised' = 'cell.unavailable') => {
      const hint = code === 'api.unauthorised' ? 'AURAISON_TOKEN names the token' : 'auraison status';
      reject(new EdgeError(code, { operation: `GET ${PATH}`, subject: url.href, message, hint }));
      socket.terminate();
    };
    if (signal.aborted) return end();
    signal.addEventListener('abort', end, { once: true });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      try {
        if (!isBinary) return heard(JSON.parse(data.toString()) as Told);
        if (!found || data.length < HEAD_BYTES || data[0] !== MESSAGE) return;
        take({ from: found, atNs: data.readBigUInt64LE(5), bytes: data.subarray(HEAD_BYTES) });
      } catch (error) {
        reject(error as Error);
        socket.terminate();
      }
    });
    socket.on('unexpected-response', (_request, { statusCode = 0 }) => {
      const refused = statusCode === 401 || statusCode === 403;
      fail(`the daemon refuses live topics (HTTP ${statusCode})`, refused ? 'api.unauthorised' : undefined);
    });
    socket.on('error', (error) => fail(`no daemon answers at ${url.origin}: ${error.message}`));
    socket.on('close', () => fail('the daemon closed the connection'));
  }).finally(() => signal.removeEventListener('abort', () => {}));
}
