import { FoxgloveClient } from '@foxglove/ws-protocol';
import { WebSocket } from 'ws';

type Events = Parameters<FoxgloveClient['on']>[0];
export type FoxgloveChannel = {
  id: number;
  topic: string;
  encoding: string;
  schemaName: string;
  schema: string;
};
type Service = { id: number; name: string };
type Status = { level: number; message: string };
type Info = { name: string; capabilities: string[] };
type Message = { subscriptionId: number; timestamp: bigint; data: DataView };

/** The stock client of the Foxglove WebSocket protocol, with what it heard so far. */
export class StockFoxglove {
  readonly client: FoxgloveClient;
  readonly channels: FoxgloveChannel[] = [];
  readonly services: Service[] = [];
  readonly statuses: Status[] = [];
  readonly messages: Message[] = [];
  readonly answers: unknown[] = [];
  info: Info | undefined;
  error: Error | undefined;
  #calls = 0;

  /** `token`: offered as a subprotocol, as a browser does it at the API. */
  constructor(url: string, subprotocol = 'foxglove.websocket.v1', token?: string) {
    // The client knows the older name only; the messages are the same.
    FoxgloveClient.SUPPORTED_SUBPROTOCOL = subprotocol;
    const coded = token === undefined ? [] : [`bearer.${Buffer.from(token).toString('base64url')}`];
    const ws = new WebSocket(url, [subprotocol, ...coded]);
    this.client = new FoxgloveClient({ ws: ws as never });
    const on = <T>(name: Events, take: (value: T) => void) => this.client.on(name, take as never);
    on<Info>('serverInfo', (info) => (this.info = info));
    on<Error>('error', (error) => (this.error = error));
    on<FoxgloveChannel[]>('advertise', (channels) => this.channels.push(...channels));
    on<Service[]>('advertiseServices', (services) => this.services.push(...services));
    on<Status>('status', (status) => this.statuses.push(status));
    on<Message>('message', (message) => this.messages.push(message));
    on<{ data: DataView }>('serviceCallResponse', ({ data }) => this.answers.push(json(data)));
    on<unknown>('serviceCallFailure', (failure) => this.answers.push(failure));
    on<unknown>('parameterValues', (values) => this.answers.push(values));
    on<unknown>('fetchAssetResponse', (asset) => this.answers.push(asset));
  }

  channel(topic: string): FoxgloveChannel | undefined {
    return this.channels.find((one) => one.topic === topic);
  }

  /** Advertises a channel of JSON; what is given back publishes on it. */
  publisher(topic: string, schemaName: string): (value: object) => void {
    const id = this.client.advertise({ topic, encoding: 'json', schemaName });
    return (value) => this.client.sendMessage(id, Buffer.from(JSON.stringify(value)));
  }

  call(name: string, request: object = {}): void {
    const { id } = this.services.find((one) => one.name === name)!;
    const data = new DataView(Uint8Array.from(Buffer.from(JSON.stringify(request))).buffer);
    this.#calls += 1;
    this.client.sendServiceCallRequest({ serviceId: id, callId: this.#calls, encoding: 'json', data });
  }

  close(): void {
    this.client.close();
  }
}

function json(data: DataView): unknown {
  return JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString());
}
