import { type Clock, LIMITS, type LinkHello, linkHelloChecker } from '../contract/index.ts';
import type { CentralHttp } from './central-http.ts';

/** What the coordinator can do, asked once in a while: a robot of version 2 works with one of version 1. */
export class PeerVersion {
  readonly #http: CentralHttp;
  readonly #clock: Clock;
  #known: { readonly hello: LinkHello | undefined; readonly untilMs: number } | undefined;

  constructor(http: CentralHttp, clock: Clock) {
    this.#http = http;
    this.#clock = clock;
  }

  /** Undefined: it speaks version 1 only. Rejects where it cannot be asked. */
  async hello(): Promise<LinkHello | undefined> {
    const now = this.#clock.monotonicMs();
    if (this.#known && this.#known.untilMs > now) return this.#known.hello;
    const { status, json } = await this.#http.request('GET', 'link/v2/hello');
    // A coordinator of version 1 that asks for a token asks for it before it looks at the address.
    if (status !== 200 && status !== 404 && status !== 401) throw this.#http.refusal(status, json);
    const hello = status === 200 && linkHelloChecker.is(json) ? json : undefined;
    this.#known = { hello, untilMs: now + LIMITS.LINK_HELLO_MS };
    return hello;
  }

  /** Asked again before the next use: another coordinator may answer now. */
  forget(): void {
    this.#known = undefined;
  }
}
