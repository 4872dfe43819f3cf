import { type FetchAssetResponse, FetchAssetStatus, FoxgloveClient } from '@foxglove/ws-protocol';
import { type Channel, LiveSample } from './sample.ts';

/** What `WebSocket` is to the client of the protocol. */
export type Socket = ConstructorParameters<typeof FoxgloveClient>[0]['ws'];
export type Take = (sample: LiveSample) => void;

export type LinkState = {
  readonly state: 'off' | 'connecting' | 'live' | 'lost';
  /** For a person: why it is lost. */
  readonly reason: string;
  /** Topics that the robot offers, by name. As they were where the link is lost. */
  readonly channels: ReadonlyMap<string, Channel>;
  /** The newest word of the robot about what it had to drop for this page, or refused. */
  readonly notice: string;
};

export type LinkParts = {
  /** A new socket to `GET /v1/live`. */
  connect(): Socket;
  /** Why a handshake is refused, for a person: a browser does not say it of a socket. */
  whyRefused?(): Promise<string>;
  nowMs(): number;
  /** Calls once after the time; what it returns cancels. */
  after(ms: number, call: () => void): () => void;
};

const AGAIN_FIRST_MS = 500;
const AGAIN_MAX_MS = 5_000;
/** Panels come and go when a person changes the page: the link stays for the next. */
const LINGER_MS = 3_000;
/** Several nodes publish the fixed transforms, each its own. */
const TF_STATIC = '/tf_static';
const RECENT_MAX = 64;
const SILENT = 'the daemon does not answer; trying again';
const OFF: LinkState = { state: 'off', reason: '', channels: new Map(), notice: '' };

/**
 * Live topics of the robot over one WebSocket for the whole page. It is open while a panel holds it, and comes back when
 * it was lost. A topic is subscribed to while a panel follows it: what no panel shows is not sent.
 */
export class LiveLink {
  readonly #parts: LinkParts;
  readonly #followers = new Map<string, Set<Take>>();
  /** Subscriptions at the robot by topic, and the channel of each by its id. */
  readonly #subscriptions = new Map<string, number>();
  readonly #subscribed = new Map<number, Channel>();
  /** The newest samples of what is subscribed to: the robot sends latched ones only once. */
  readonly #recent = new Map<string, LiveSample[]>();
  readonly #listeners = new Set<() => void>();
  #view: LinkState = OFF;
  #client: FoxgloveClient | undefined;
  #holders = 0;
  #hidden = false;
  #cancel: (() => void) | undefined;
  #againMs = AGAIN_FIRST_MS;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  get view(): LinkState {
    return this.#view;
  }

  listen(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  /** The link stays open until what this returns was called. */
  hold(): () => void {
    this.#holders += 1;
    this.#turn();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holders -= 1;
      this.#turn();
    };
  }

  /** A file of the robot; rejects with the reason where the robot has no such file, or the link is lost first. */
  fetchAsset(uri: string): Promise<Uint8Array> {
    const client = this.#client;
    if (!client || this.#view.state !== 'live') return Promise.reject(new Error('there is no live link'));
    const id = this.#nextAsset++;
    return new Promise((resolve, reject) => {
      this.#assets.set(id, { resolve, reject });
      client.fetchAsset(uri, id);
    });
  }
  #nextAsset = 1;
  readonly #assets = new Map<
    number,
    { readonly resolve: (bytes: Uint8Array) => void; readonly reject: (error: Error) => void }
  >();

  #gotAsset(answer: FetchAssetResponse): void {
    const asked = this.#assets.get(answer.requestId);
    this.#assets.delete(answer.requestId);
    if (answer.status !== FetchAssetStatus.SUCCESS) {
      asked?.reject(new Error(answer.error));
      return;
    }
    const { buffer, byteOffset, byteLength } = answer.data;
    asked?.resolve(new Uint8Array(buffer, byteOffset, byteLength));
  }

  /** A hidden page reads nothing. */
  hide(hidden: boolean): void {
    this.#hidden = hidden;
    if (hidden) this.#close(OFF.state, '');
    else this.#turn();
  }

  /** Every sample of a topic from now on, also after the link was lost and when the topic is offered later. */
  follow(topic: string, take: Take): () => void {
    const followers = this.#followers.get(topic) ?? new Set();
    this.#followers.set(topic, followers);
    followers.add(take);
    for (const sample of this.#recent.get(topic) ?? []) take(sample);
    this.#subscribe(topic);
    return () => {
      followers.delete(take);
      if (followers.size > 0 || this.#followers.get(topic) !== followers) return;
      this.#followers.delete(topic);
      this.#unsubscribe(topic);
    };
  }

  #turn(): void {
    const wanted = this.#holders > 0 && !this.#hidden;
    if (wanted && this.#client === undefined) {
      // A panel that was just opened does not wait for the next attempt.
      this.#cancel?.();
      this.#open();
    } else if (wanted) {
      this.#cancel?.();
      this.#cancel = undefined;
    } else if (this.#holders === 0 && this.#client !== undefined) {
      this.#cancel?.();
      this.#cancel = this.#parts.after(LINGER_MS, () => this.#close('off', ''));
    }
  }

  #open(): void {
    this.#cancel = undefined;
    const client = new FoxgloveClient({ ws: this.#parts.connect() });
    this.#client = client;
    if (this.#view.state !== 'lost') this.#show({ state: 'connecting' });
    const mine = (act: () => void) => {
      if (this.#client === client) act();
    };
    client.on('serverInfo', () => mine(() => this.#opened()));
    client.on('advertise', (channels) => mine(() => this.#offered(channels)));
    client.on('unadvertise', (ids) => mine(() => this.#gone(ids)));
    client.on('message', ({ subscriptionId, timestamp, data }) =>
      mine(() => this.#take(subscriptionId, timestamp, data)),
    );
    client.on('fetchAssetResponse', (answer) => mine(() => this.#gotAsset(answer)));
    client.on('status', ({ level, message }) => {
      if (level > 0) mine(() => this.#show({ notice: message }));
    });
    client.on('close', () => mine(() => this.#ended()));
  }

  #opened(): void {
    this.#againMs = AGAIN_FIRST_MS;
    this.#show({ state: 'live', reason: '', channels: new Map(), notice: '' });
  }

  /** A handshake that is refused again keeps its reason until the daemon gives another one. */
  #ended(): void {
    const { state, reason } = this.#view;
    const why = this.#parts.whyRefused;
    const refused = state !== 'live' && why !== undefined;
    this.#lost(refused && state === 'lost' ? reason : SILENT);
    if (!refused) return;
    why().then(
      (said) => {
        if (this.#view.state === 'lost')
          this.#show({ reason: said === '' ? SILENT : `${said}; trying again` });
      },
      () => {},
    );
  }

  #lost(reason: string): void {
    this.#close('lost', reason);
    if (this.#holders === 0 || this.#hidden) return;
    this.#cancel = this.#parts.after(this.#againMs, () => this.#open());
    this.#againMs = Math.min(AGAIN_MAX_MS, this.#againMs * 2);
  }

  #close(state: LinkState['state'], reason: string): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const client = this.#client;
    this.#client = undefined;
    this.#subscriptions.clear();
    this.#subscribed.clear();
    this.#recent.clear();
    for (const { reject } of this.#assets.values()) reject(new Error('the link was lost'));
    this.#assets.clear();
    client?.close();
    this.#show({ state, reason });
  }

  #offered(channels: readonly Channel[]): void {
    const known = new Map(this.#view.channels);
    for (const channel of channels) known.set(channel.topic, channel);
    this.#show({ channels: known });
    for (const { topic } of channels) this.#subscribe(topic);
  }

  #gone(ids: readonly number[]): void {
    const known = new Map(this.#view.channels);
    for (const { id, topic } of this.#view.channels.values()) {
      if (!ids.includes(id)) continue;
      known.delete(topic);
      // The robot has ended the subscription itself.
      this.#subscribed.delete(this.#subscriptions.get(topic) ?? -1);
      this.#subscriptions.delete(topic);
      this.#recent.delete(topic);
    }
    this.#show({ channels: known });
  }

  #subscribe(topic: string): void {
    const channel = this.#view.channels.get(topic);
    if (this.#view.state !== 'live' || !channel || !this.#client) return;
    if (!this.#followers.has(topic) || this.#subscriptions.has(topic)) return;
    const id = this.#client.subscribe(channel.id);
    this.#subscriptions.set(topic, id);
    this.#subscribed.set(id, channel);
  }

  #unsubscribe(topic: string): void {
    const id = this.#subscriptions.get(topic);
    if (id === undefined) return;
    this.#subscriptions.delete(topic);
    this.#subscribed.delete(id);
    this.#recent.delete(topic);
    this.#client?.unsubscribe(id);
  }

  #take(subscription: number, timestamp: bigint, data: ArrayBufferView): void {
    const channel = this.#subscribed.get(subscription);
    if (!channel) return;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const sample = new LiveSample(channel, bytes, Number(timestamp) / 1e9, this.#parts.nowMs());
    const before = channel.topic === TF_STATIC ? (this.#recent.get(channel.topic) ?? []) : [];
    this.#recent.set(channel.topic, [...before, sample].slice(-RECENT_MAX));
    for (const take of [...(this.#followers.get(channel.topic) ?? [])]) take(sample);
  }

  #show(change: Partial<LinkState>): void {
    this.#view = { ...this.#view, ...change };
    for (const changed of this.#listeners) changed();
  }
}
