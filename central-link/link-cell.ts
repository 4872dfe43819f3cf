import {
  type Cell,
  type CellContext,
  type Central,
  LIMITS,
  type LinkStatus,
  type LinkSyncReply,
  type LinkSyncRequest,
  METHODS,
  TOPICS,
  type WorkCounter,
} from '../contract/core.ts';
import { Alarm } from './alarm.ts';
import type { DiskDesk } from './disk-desk.ts';
import { type LinkOptions, LinkPump } from './link-pump.ts';
import type { OrderLoop } from './order-loop.ts';

export type { LinkOptions } from './link-pump.ts';

/** How long `stop` waits for the current step, milliseconds. */
const STOP_STEP_MS = 1_000;

/**
 * The link to central: ships the logs of all cells, each event once, whatever happens to central meanwhile.
 * Off the control path; central that is absent, late, slow, killed or restored from a backup is normal.
 */
export class LinkCell implements Cell {
  readonly name = 'link';
  readonly #context: CellContext;
  readonly #central: Central | undefined;
  readonly #pump: LinkPump | undefined;
  readonly #orders: OrderLoop | undefined;
  readonly #renewal: LinkOptions['renewal'];
  readonly #disk: LinkOptions['disk'];
  readonly #broker: LinkOptions['broker'];
  readonly #off: string;
  readonly #news = new Alarm();
  readonly #turned = new Alarm();
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #busy = false;
  #opened: Promise<DiskDesk> | undefined;
  #turns = 0;

  constructor(context: CellContext, options: LinkOptions) {
    this.#context = context;
    this.#central = options.central;
    this.#orders = options.orders;
    this.#renewal = options.renewal;
    this.#disk = options.disk;
    this.#broker = options.broker;
    this.#off = options.refused ?? 'no central is configured';
    this.#pump = options.central && new LinkPump(context, options, options.central, this.#stop.signal);
  }

  async start(): Promise<void> {
    const { bus } = this.#context;
    bus.handle(METHODS.link.status, async () => this.status());
    bus.handle(METHODS.link.sync, (body) => this.#sync(body ?? {}));
    bus.onBroadcast(TOPICS.logGrew, () => this.#news.ring());
    this.#handleDisks();
    if (this.#pump) this.#loop = this.#run(this.#pump);
    this.#orders?.start();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#news.ring();
    const quiet = this.#orders?.stop();
    await this.#central?.close();
    this.#renewal?.close();
    void this.#opened?.then((desk) => desk.close()).catch(() => {});
    const { clock } = this.#context;
    // A coordinator that does not answer must not delay the stop: its step is abandoned, and checked at the next start.
    if (this.#loop) {
      await Promise.race([this.#loop, new Promise<void>((done) => void clock.after(STOP_STEP_MS, done))]);
    }
    await quiet;
    await this.#pump?.close();
  }

  /** Each turn counts as progress: a link that waits for central is healthy, one that hangs is not. */
  work(): readonly WorkCounter[] {
    return [{ name: 'link.turns', done: this.#turns, waiting: this.#busy && !this.#pump?.atCentral ? 1 : 0 }];
  }

  status(): LinkStatus {
    const downlink = this.#orders ? { downlink: this.#orders.status() } : {};
    const broker = this.#broker ? { broker: this.#broker() } : {};
    return this.#pump
      ? { ...this.#pump.status(), ...downlink, ...broker }
      : { ready: true, state: 'off', reason: this.#off, lanes: {} };
  }

  /** Exports to removable disks, also where there is no way to central over the network. */
  #handleDisks(): void {
    const { bus } = this.#context;
    const open = this.#disk;
    if (!open) return;
    const desk = async () => {
      this.#opened ??= open();
      return await this.#opened.catch((error: unknown) => {
        this.#opened = undefined;
        throw error;
      });
    };
    bus.handle(METHODS.link.diskOpen, async (body) => (await desk()).open(body));
    bus.handle(METHODS.link.diskNext, async ({ session }) => (await desk()).next(session));
    bus.handle(METHODS.link.diskPiece, async (body) => ({ bytes: await (await desk()).piece(body) }));
    bus.handle(METHODS.link.diskSign, async (body) => ({ manifest: (await desk()).sign(body) }));
    bus.handle(METHODS.link.diskReceipts, async ({ receipts }) => {
      const taken = await (await desk()).receipts(receipts);
      // The lanes look at once where central stands now.
      if (taken.lanes.length > 0) this.#news.ring();
      return taken;
    });
  }

  async #run(pump: LinkPump): Promise<void> {
    const { clock, report } = this.#context;
    while (!this.#stop.signal.aborted) {
      let restMs: number = LIMITS.LINK_POLL_MS;
      this.#busy = true;
      try {
        await this.#renewal?.look();
        restMs = await pump.turn();
      } catch (error) {
        report('error', 'link turn failed', { error: (error as Error).message });
      }
      this.#busy = false;
      this.#turns += 1;
      this.#turned.ring();
      if (restMs > 0) await this.#news.wait(clock, restMs, this.#stop.signal, pump.offline);
    }
  }

  /** Tries now, including stopped lanes; answers when everything logged so far is acknowledged or time is up. */
  async #sync({ timeoutMs = LIMITS.CELL_REQUEST_MS - 1_000 }: LinkSyncRequest): Promise<LinkSyncReply> {
    const pump = this.#pump;
    if (!pump) return { ...this.status(), behind: 0 };
    const { clock } = this.#context;
    const end = clock.monotonicMs() + timeoutMs;
    const goal = this.status().lanes;
    pump.retryNow();
    this.#news.ring(true);
    for (;;) {
      const status = this.status();
      const rest = end - clock.monotonicMs();
      const behind = Object.entries(goal).reduce(
        (sum, [lane, { last }]) => sum + Math.max(0, last - (status.lanes[lane]?.sent ?? 0)),
        0,
      );
      if (behind === 0 || rest <= 0 || this.#stop.signal.aborted) return { ...status, behind };
      await this.#turned.wait(clock, rest, this.#stop.signal);
    }
  }
}
