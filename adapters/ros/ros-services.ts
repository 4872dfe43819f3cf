import {
  type CallOptions,
  type Clock,
  type MessageValue,
  type RosServices,
  withDeadline,
} from '../../contract/core.ts';
import type { ApiLink } from './api-link.ts';
import type { ApiNews } from './api-wire.ts';
import type { HostProcess } from './host-process.ts';
import { ROS_LIMITS } from './options.ts';

type Handler = (request: MessageValue) => Promise<MessageValue>;
type Served = {
  readonly name: string;
  readonly type: string;
  readonly handle: Handler;
  readonly timeoutMs: number;
};

/** How long a handler of this daemon may take by default, milliseconds. */
const HANDLER_MS = 10_000;

/** Services over the ROS host. What is served comes back with every new host. */
export class HostServices implements RosServices {
  readonly #link: ApiLink;
  readonly #clock: Clock;
  readonly #report: (level: 'warn' | 'error', message: string) => void;
  readonly #number: () => number;
  readonly #served = new Map<number, Served>();

  constructor(
    link: ApiLink,
    clock: Clock,
    report: (level: 'warn' | 'error', message: string) => void,
    number: () => number,
  ) {
    this.#link = link;
    this.#clock = clock;
    this.#report = report;
    this.#number = number;
    link.listen({
      onHost: (host) => this.#restore(host),
      onHostGone: () => {},
      onNews: (news, host) => this.#onNews(news, host),
    });
  }

  call(
    name: string,
    type: string,
    request: MessageValue,
    { timeoutMs, signal }: CallOptions,
  ): Promise<MessageValue> {
    const order = { op: 'call', name, type, request, timeoutMs } as const;
    return this.#link.call<MessageValue>(order, timeoutMs, 'call a service', name, signal);
  }

  async serve(
    name: string,
    type: string,
    handle: Handler,
    { timeoutMs = HANDLER_MS }: { readonly timeoutMs?: number } = {},
  ): Promise<{ close(): Promise<void> }> {
    const server = this.#number();
    await this.#link.call(
      { op: 'serve', server, name, type },
      ROS_LIMITS.REQUEST_MS,
      'serve a service',
      name,
    );
    this.#served.set(server, { name, type, handle, timeoutMs });
    return {
      close: async () => {
        const { host } = this.#link;
        if (!this.#served.delete(server) || !host) return;
        const { answer, abort } = host.apiCall({ op: 'unserve', server });
        const closed = withDeadline(this.#clock, ROS_LIMITS.REQUEST_MS, answer, 'close a service', name);
        // A host that died meanwhile serves nothing: that is what was asked for.
        await closed.catch(abort);
      },
    };
  }

  async #restore(host: HostProcess): Promise<void> {
    for (const [server, { name, type }] of this.#served) {
      const { answer } = host.apiCall({ op: 'serve', server, name, type });
      const served = withDeadline(this.#clock, ROS_LIMITS.REQUEST_MS, answer, 'serve a service', name);
      await served.catch((error: unknown) => {
        // A service that can no longer be served does not keep the others away.
        if (!host.alive) throw error;
        this.#report('error', `${name}: ${error instanceof Error ? error.message : String(error)}`);
      });
    }
  }

  #onNews(news: ApiNews, host: HostProcess): void {
    if (news.op !== 'request') return;
    const served = this.#served.get(news.server);
    const { server, request } = news;
    if (!served) {
      host.apiWord({ op: 'answer', server, request });
      return;
    }
    const { name, handle, timeoutMs } = served;
    const work = Promise.resolve().then(() => handle(news.value));
    withDeadline(this.#clock, timeoutMs, work, 'answer a service request', name)
      .then((value) => host.apiWord({ op: 'answer', server, request, value }))
      .catch((error: unknown) => {
        host.apiWord({ op: 'answer', server, request });
        const why = error instanceof Error ? error.message : String(error);
        this.#report('error', `${name}: a request got no answer: ${why}`);
      });
  }
}
