import { channel } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** RFC 6455, 5.5.3: an unsolicited pong, masked with zeros. Nothing is answered to it. */
const PONG = Uint8Array.of(0x8a, 0x80, 0, 0, 0, 0);

/**
 * Makes the kernel acknowledge received data at once. The bridge leaves Nagle's algorithm on: a small message behind
 * another, such as the end of a query behind its reply, waits there until the first is acknowledged, and the kernel
 * here does that only after 40 ms unless something goes the other way. So 6 bytes are sent, once per turn of the event
 * loop in which anything came. Call it before the connection is made; gives what to call with its WebSocket.
 */
export function acknowledgeAtOnce(): (webSocket: WebSocket) => void {
  let wire: Socket | undefined;
  channel('undici:client:connected').subscribe((message) => {
    wire = (message as { socket?: Socket }).socket;
  });
  return (webSocket) => {
    let due = false;
    webSocket.addEventListener('message', () => {
      if (due) return;
      due = true;
      setImmediate(() => {
        due = false;
        // Between two frames: the WebSocket writes each of its own in one piece.
        if (webSocket.readyState === WebSocket.OPEN && wire?.writable === true) wire.write(PONG);
      });
    });
  };
}
