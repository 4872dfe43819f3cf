/** Opcodes of binary messages, by direction; both subprotocols have the same. */
const SERVER = { data: 1, time: 2, serviceResponse: 3, asset: 4 } as const;
const CLIENT = { data: 1, serviceRequest: 2 } as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export type BinaryMessage =
  | { readonly op: 'data'; readonly channelId: number; readonly payload: Uint8Array }
  | {
      readonly op: 'call';
      readonly serviceId: number;
      readonly callId: number;
      readonly encoding: string;
      readonly payload: Uint8Array;
    };

/** What stands before the message of a subscription: opcode, subscription, time of reception in nanoseconds. */
export function dataHead(subscriptionId: number, time: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(13));
  view.setUint8(0, SERVER.data);
  view.setUint32(1, subscriptionId, true);
  view.setBigUint64(5, time, true);
  return new Uint8Array(view.buffer);
}

export function timeFrame(time: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(9));
  view.setUint8(0, SERVER.time);
  view.setBigUint64(1, time, true);
  return new Uint8Array(view.buffer);
}

export function serviceResponse(
  serviceId: number,
  callId: number,
  encoding: string,
  payload: Uint8Array,
): Uint8Array {
  const name = encoder.encode(encoding);
  const frame = new Uint8Array(13 + name.length + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, SERVER.serviceResponse);
  view.setUint32(1, serviceId, true);
  view.setUint32(5, callId, true);
  view.setUint32(9, name.length, true);
  frame.set(name, 13);
  frame.set(payload, 13 + name.length);
  return frame;
}

export function assetResponse(requestId: number, found: Uint8Array | { readonly error: string }): Uint8Array {
  const isFound = found instanceof Uint8Array;
  const error = isFound ? new Uint8Array(0) : encoder.encode(found.error);
  const data = isFound ? found : new Uint8Array(0);
  const frame = new Uint8Array(10 + error.length + data.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, SERVER.asset);
  view.setUint32(1, requestId, true);
  view.setUint8(5, isFound ? 0 : 1);
  view.setUint32(6, error.length, true);
  frame.set(error, 10);
  frame.set(data, 10 + error.length);
  return frame;
}

/** A binary message of a client, or what is wrong with it. The payload is a view of the frame. */
export function readBinary(frame: Uint8Array): BinaryMessage | string {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 5) return `a binary message has at least 5 bytes, found ${frame.length}`;
  const op = view.getUint8(0);
  if (op === CLIENT.data)
    return { op: 'data', channelId: view.getUint32(1, true), payload: frame.subarray(5) };
  if (op !== CLIENT.serviceRequest) return `unknown binary opcode ${op}`;
  if (frame.length < 13) return `a service request has at least 13 bytes, found ${frame.length}`;
  const length = view.getUint32(9, true);
  if (13 + length > frame.length)
    return `the encoding is ${length} bytes long, beyond the end of the message`;
  try {
    const encoding = decoder.decode(frame.subarray(13, 13 + length));
    const [serviceId, callId] = [view.getUint32(1, true), view.getUint32(5, true)];
    return { op: 'call', serviceId, callId, encoding, payload: frame.subarray(13 + length) };
  } catch {
    return 'the encoding of a service request is not UTF-8';
  }
}
