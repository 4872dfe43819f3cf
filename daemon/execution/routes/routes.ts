import { randomUUID } from 'node:crypto';
import {
  type CellContext,
  type Clock,
  EdgeError,
  type KeySpace,
  type LedgerLine,
  LIMITS,
  type NewEvent,
  type RouteSpec,
  type RouteState,
  type RouteStatus,
  type Sample,
  type Timer,
} from '../../../contract/core.ts';
import type { SampleBus, SampleOrigin } from '../bus/index.ts';
import type { Door, DoorPath } from '../door/index.ts';
import { Arrivals } from './arrivals.ts';
import { Beacons } from './beacons.ts';
import { BusOutlet } from './bus-outlet.ts';
import type { CrashNote } from './crash-note.ts';
import { Dispatcher } from './dispatcher.ts';
import { EchoMemory } from './echo-memory.ts';
import { findingOf, giveUpOn, quietNames } from './finding.ts';
import { Inlet, isSessionLost } from './inlet.ts';
import { LedgerTeller } from './ledger-teller.ts';
import { type Outlet, Route } from './route.ts';
import { SinkOutlet } from './sink-outlet.ts';
import { ZenohOutlet } from './zenoh-outlet.ts';

export type RoutesParts = {
  readonly clock: Clock;
  readonly specs: readonly RouteSpec[];
  /** For `{robot}` and `{prefix}`. */
  readonly robot: string;
  readonly prefix: string;
  readonly bus: SampleBus;
  /** The way of a route through the door into the robot's middleware; without one, routes to `ros:` are down. */
  robotPath?(route: string): DoorPath;
  /** Judges values for keys of Zenoh that a robot hears; absent: none is heard by one. */
  readonly door?: Pick<Door, 'refusesKey'>;
  readonly emit: CellContext['emit'];
  readonly report: CellContext['report'];
  /** Where the ledger is noted for a process that is killed; left out: it is not. */
  readonly crashNote?: CrashNote;
  /** How many publishers the robot's middleware knows of a topic; undefined where it is unknown. */
  publishersOf?(topic: string): number | undefined;
  /** Subscribes a topic of the robot again. */
  resubscribe?(topic: string): Promise<void>;
};

/** How often the ledger is noted for a kill, milliseconds. */
const NOTE_MS = 100;
/** How often the canaries look, milliseconds. */
const LOOK_MS = 500;
/** A robot's topic that cannot be subscribed again counts as stopped after this silence, milliseconds. */
const STOPPED_MS = 30_000;
/** States that need no attention. */
const SOUND: ReadonlySet<RouteState> = new Set(['up', 'rebuilt', 'idle']);
/** A look that comes later than this found a process that did not run: what it missed is no fault of a sender. */
const LATE_MS = 1_000;

type Watched = {
  readonly route: Route;
  readonly inlet: Inlet | undefined;
  readonly arrivals: Arrivals;
  messages: number;
};

/** All routes of this daemon, over one session of the key space, one robot and the bus. */
export class Routes {
  readonly name = 'routes';
  readonly #parts: RoutesParts;
  readonly #dispatcher: Dispatcher;
  /**
   * What our samples are known by. Not the id of a session: that of a remote-api bridge is shared by all who use the
   * bridge and changes when it restarts, and a session that was lost is replaced while its numbers continue.
   */
  readonly #source = randomUUID().replaceAll('-', '');
  readonly #zenoh: ZenohOutlet;
  readonly #echoes = new EchoMemory();
  readonly #bus: BusOutlet;
  readonly #watched: Watched[];
  readonly #senders: readonly Route[];
  readonly #beacons: Beacons;
  readonly #teller = new LedgerTeller();
  readonly #timers: Timer[] = [];
  /** The ledger is on its way into the log. */
  #telling: Promise<void> | undefined;
  #keySpace: KeySpace | undefined;
  #isRobotConnected: () => boolean = () => false;
  #onSessionLost: (lost: KeySpace, reason: string) => void = () => {};
  #lastLookMs = 0;
  #untap: (() => void) | undefined;
  #closed = false;

  constructor(parts: RoutesParts) {
    this.#parts = parts;
    const { clock } = parts;
    this.#dispatcher = new Dispatcher(clock);
    this.#bus = new BusOutlet(parts.bus);
    this.#zenoh = new ZenohOutlet(
      this.#source,
      (lost, reason) => this.#onSessionLost(lost, reason),
      ({ spec }, key, sample) => parts.door?.refusesKey(key, sample, { kind: 'route', name: spec.name }),
    );
    this.#watched = parts.specs.map((spec) => {
      const outlet = this.#outletOf(spec);
      const onNamesSpent = () => parts.report('warn', namesSpent(spec.name));
      const route = new Route(spec, { ...parts, dispatcher: this.#dispatcher, outlet, onNamesSpent });
      const arrivals = new Arrivals();
      const inlet =
        spec.from.kind === 'zenoh'
          ? new Inlet(route, clock, arrivals, this.#source, (topic) => this.#echoes.watch(topic))
          : undefined;
      return { route, inlet, arrivals, messages: 0 };
    });
    this.#senders = this.#watched.map(({ route }) => route).filter(({ spec }) => spec.to.kind === 'zenoh');
    this.#beacons = new Beacons(this.#source, {
      onCounts: (source, counts) => this.#told(source, counts),
      onToken: (source, alive) => {
        for (const { arrivals } of this.#watched) arrivals.token(source, alive, clock.monotonicMs());
      },
    });
  }

  /** Takes samples of the bus from here on. */
  start(links: {
    isRobotConnected(): boolean;
    /** The session is no longer usable. */
    onSessionLost(lost: KeySpace, reason: string): void;
  }): void {
    this.#isRobotConnected = () => links.isRobotConnected();
    this.#onSessionLost = (lost, reason) => links.onSessionLost(lost, reason);
    const { clock, bus } = this.#parts;
    this.#untap = bus.tap('routes', (sample, origin) => this.#onBus(sample, origin));
    this.#lastLookMs = clock.monotonicMs();
    void this.#tellLedger();
    // Also without routes: what a former life left is reported until the log has it.
    this.#timers.push(clock.every(LIMITS.ROUTE_LEDGER_MS, () => void this.#tellLedger()));
    if (this.#watched.length === 0) return;
    this.#timers.push(
      clock.every(NOTE_MS, () => this.#note()),
      clock.every(LOOK_MS, () => this.look()),
      clock.every(LIMITS.ROUTE_BEACON_MS, () => this.#beacons.tell(this.#senders)),
    );
  }

  /** Declares everything in a new session of the key space. */
  async attach(keySpace: KeySpace): Promise<void> {
    this.#keySpace = keySpace;
    this.#zenoh.use(keySpace);
    for (const { route } of this.#watched) route.forgetFault();
    const inlets = this.#watched.flatMap(({ inlet }) => inlet ?? []);
    await Promise.all(inlets.map((inlet) => inlet.attach(keySpace)));
    await this.#beacons.attach(keySpace, this.#senders, inlets.length > 0);
    this.look();
  }

  /** The session is gone. What is in flight fails on its own. */
  detach(): void {
    this.#keySpace = undefined;
    this.#zenoh.use(undefined);
    this.#beacons.detach();
    for (const { inlet } of this.#watched) inlet?.detach().catch(() => {});
  }

  /** The robot came: topics whose names and types are known are advertised ahead of their first sample. */
  robotConnected(): void {
    for (const { route } of this.#watched) {
      const { to, type } = route.spec;
      if (to.kind === 'ros' && type !== '' && route.isPlain) route.declare(route.fromPattern, type);
    }
  }

  /** What the middleware lost of a topic before it reached us is lost on each route of it. */
  missed(topic: string, count: number): void {
    for (const { route } of this.#watched) {
      if (route.spec.from.kind === 'ros' && route.matches(topic)) route.missed(topic, 'middleware', count);
    }
  }

  status(): RouteStatus[] {
    return this.#watched.map(({ route }) => route.status());
  }

  lines(): LedgerLine[] {
    return this.#watched.flatMap(({ route }) => route.ledger.lines());
  }

  /** Why routes do not work, for a person. */
  degraded(): string[] {
    return this.#watched
      .filter(({ route }) => !SOUND.has(route.canary.state))
      .map(({ route }) => `route ${route.spec.name}: ${route.canary.reason}`);
  }

  /** One look at each route; a timer does it, tests may. */
  look(): void {
    if (this.#closed) return;
    const nowMs = this.#parts.clock.monotonicMs();
    const late = nowMs - this.#lastLookMs - LOOK_MS;
    this.#lastLookMs = nowMs;
    for (const watched of this.#watched) {
      if (late > LATE_MS) this.#forgive(watched, late);
      watched.inlet?.countLosses();
      this.#judge(watched, nowMs);
    }
  }

  /** Takes nothing more, counts what is left, reports the ledger. Settles within a second; may be called twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#untap?.();
    for (const timer of this.#timers) timer.cancel();
    this.look();
    this.#closed = true;
    await this.#settle();
    for (const { route } of this.#watched) route.close();
    this.#dispatcher.close();
    await this.#telling;
    await this.#tellLedger();
    this.#parts.crashNote?.close(this.#teller.untold(this.lines()));
  }

  #outletOf({ name, to }: RouteSpec): Outlet {
    if (to.kind === 'zenoh') return this.#zenoh;
    if (to.kind === 'bus') return this.#bus;
    const path = this.#parts.robotPath?.(name);
    if (path) {
      return new SinkOutlet({
        ...{ clock: this.#parts.clock, path },
        isConnected: () => this.#isRobotConnected(),
        onSend: (sample) => this.#remember(sample),
      });
    }
    return {
      prepare: () => undefined,
      send: (_route, lane) => {
        throw new EdgeError('robot.unreachable', { operation: 'forward', subject: lane.target });
      },
    };
  }

  #onBus(sample: Sample, origin: SampleOrigin): void {
    for (const { route } of this.#watched) {
      const { from, to } = route.spec;
      if (from.kind === 'zenoh' || (from.kind === 'ros' && origin !== 'robot')) continue;
      if (!route.matches(sample.topic)) continue;
      route.offer(sample.topic, sample, this.#isEcho(sample, origin, to.kind) ? 'echo' : undefined);
    }
  }

  /** Whether a sample would go back to where it came from. */
  #isEcho(sample: Sample, origin: SampleOrigin, to: RouteSpec['to']['kind']): boolean {
    if (to === 'ros') return origin === 'robot';
    if (origin === 'zenoh') return true;
    const { topic, bytes, stamp, received } = sample;
    if (origin !== 'robot' || !this.#echoes.isWatched(topic)) return false;
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#echoes.has(topic, bytes, nowMs)) return true;
    // A stamp makes a message unique: where it is heard again, another bridge of this ROS domain has brought it back.
    if (stamp !== received) this.#echoes.remember(topic, bytes, nowMs);
    return false;
  }

  /** A sample of the key space that goes to the robot may come back from there; known only where it matters. */
  #remember({ topic, bytes }: Sample): void {
    this.#echoes.watch(topic);
    if (this.#senders.some((route) => route.matches(topic)))
      this.#echoes.remember(topic, bytes, this.#parts.clock.monotonicMs());
  }

  #told(source: string, counts: Readonly<Record<string, number>>): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const { route, inlet, arrivals } of this.#watched) {
      if (!inlet) continue;
      const ours = Object.entries(counts).filter(([key]) => route.matches(key));
      if (ours.length > 0) arrivals.told(source, Object.fromEntries(ours), nowMs);
    }
  }

  #forgive({ route, arrivals }: Watched, lateMs: number): void {
    arrivals.forgive(lateMs);
    for (const { watch } of route.lanes()) watch.forgive(lateMs);
  }

  #judge(watched: Watched, nowMs: number): void {
    const { route } = watched;
    const isProgress = route.messages > watched.messages;
    watched.messages = route.messages;
    const finding = findingOf(watched, {
      nowMs,
      isProgress,
      keySpace: this.#keySpace,
      isRobotConnected: this.#isRobotConnected(),
      hasSink: this.#parts.robotPath !== undefined,
      publishersOf: (topic) => this.#parts.publishersOf?.(topic),
      canResubscribe: this.#parts.resubscribe !== undefined,
    });
    const { told, rebuild } = route.canary.look(finding, nowMs);
    const { name } = route.spec;
    for (const { state, reason } of told) {
      this.#parts.report(SOUND.has(state) ? 'info' : 'warn', `route ${name}: ${state}`, { reason });
      const payload = { route: name, state, reason: reason.slice(0, 512) };
      void this.#emit([{ kind: 'route.state', payload }]);
    }
    if (rebuild) {
      void this.#rebuild(watched, quietNames(route, nowMs));
      giveUpOn(route, nowMs, 0);
    } else if (finding.state === 'silent' && finding.rebuild === 'never') {
      giveUpOn(route, nowMs, STOPPED_MS);
    }
  }

  async #rebuild({ route, inlet }: Watched, quiet: readonly string[]): Promise<void> {
    const keySpace = this.#keySpace;
    try {
      if (inlet) {
        await inlet.rebuild();
        await this.#beacons.rebuild();
      } else {
        for (const name of quiet) await this.#parts.resubscribe?.(name);
      }
    } catch (error) {
      const { message } = EdgeError.from(error, 'route.silent', 'rebuild', route.spec.name);
      this.#parts.report('warn', `route ${route.spec.name} could not be rebuilt`, { error: message });
      if (keySpace && isSessionLost(error)) this.#onSessionLost(keySpace, message);
    }
  }

  /** A moment for what is in flight; what is not confirmed by then counts as lost. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) {
      const isBusy = this.#watched.some(({ route }) =>
        [...route.lanes()].some(({ lane }) => lane.inFlight + lane.queued > 0),
      );
      if (!isBusy) return;
      await new Promise<void>((resolve) => void this.#parts.clock.after(25, resolve));
    }
  }

  #note(): void {
    this.#parts.crashNote?.write(this.#teller.untold(this.lines()));
  }

  /** One at a time: what is on its way into the log is not reported yet, and would be reported twice. */
  #tellLedger(): Promise<void> {
    this.#telling ??= this.#tellNews().finally(() => {
      this.#telling = undefined;
    });
    return this.#telling;
  }

  /** What the log refuses counts as not reported, stays in the note, and is reported the next time. */
  async #tellNews(): Promise<void> {
    const { crashNote } = this.#parts;
    const former = crashNote?.former() ?? [];
    const crashed = former.map((payload): NewEvent => ({ kind: 'losses.recorded', payload }));
    if (crashed.length > 0 && (await this.#emit(crashed))) crashNote?.formerTold();
    const { events, settle } = this.#teller.news(this.lines());
    if (events.length > 0 && (await this.#emit(events))) settle();
    if (crashed.length > 0 || events.length > 0) this.#note();
  }

  /** False where the log did not take it. */
  async #emit(events: readonly NewEvent[]): Promise<boolean> {
    try {
      await this.#parts.emit(events);
      return true;
    } catch (error) {
      this.#parts.report('warn', 'an event of the routes was not written', {
        error: error instanceof Error ? error.message : String(error),
      });
      return false;
    }
  }
}

function namesSpent(route: string): string {
  return `route ${route} has taken ${LIMITS.ROUTE_NAMES_EVER_MAX} different names since the daemon started, and rejects every further name; restart the daemon, and exclude names that keep changing with the deny list of the route`;
}
