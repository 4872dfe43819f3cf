import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/** The one place that loads the WebSocket library. */
export { WebSocket, WebSocketServer } from 'ws';

/** Text of HTTP status lines that a refused upgrade may have. */
const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  503: 'Service Unavailable',
};

export type UpgradeOptions = {
  /** A longer frame closes the connection with 1009, bytes. */
  readonly frameBytesMax: number;
  /** The first of these that the client offers is chosen. */
  readonly subprotocol: string | readonly string[];
  /** A client whose handshake is wrong was answered and hung up on. */
  readonly failed: (error: Error) => void;
};

/** Completes an upgrade: without compression, with bounded frames. The caller has checked who it is. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { frameBytesMax, subprotocol, failed }: UpgradeOptions,
  accepted: (socket: WebSocket) => void,
): void {
  const server = new WebSocketServer({
    ...{ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: frameBytesMax },
    handleProtocols: (offered) => [subprotocol].flat().find((name) => offered.has(name)) ?? false,
  });
  // Who listens to this has to hang up as well.
  server.on('wsClientError', (error) => {
    failed(error);
    refuseUpgrade(socket, 400, `${error.message}\n`);
  });
  server.handleUpgrade(request, socket, head, accepted);
}

/** Answers an upgrade with an error and hangs up. */
export function refuseUpgrade(socket: Duplex, status: number, body: string): void {
  socket.on('error', () => socket.destroy());
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}`,
    ...['connection: close', 'content-type: application/json; charset=utf-8'],
    ...['cache-control: no-store', 'x-content-type-options: nosniff'],
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
