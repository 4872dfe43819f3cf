import { createServer, type Server, type Socket } from 'node:net';
import { type Clock, EdgeError, hasExpired, pause } from '../contract/core.ts';
import { HostClient } from './host-client.ts';
import type { HostedWorld, Referee } from './hosted-world.ts';
import { helloMessage, type Pace, type RobotDescription, refereeMessage } from './protocol.ts';

/** Windows that may be caught up after a pause; more stay lost. */
const BEHIND_WINDOWS_MAX = 2;
/** Short windows may be caught up over this time at least, milliseconds: a busy host is late by more than one. */
const BEHIND_MS = 100;

export type HostOptions = {
  readonly simulation: HostedWorld;
  readonly description: RobotDescription;
  readonly clock: Clock;
  readonly pace: Pace;
  /** Times real time; `Infinity` is as fast as it goes. */
  readonly speed: number;
  /** Bytes that may wait for a slow client before samples are dropped and counted. */
  readonly queueBytesMax?: number;
};

/**
 * The simulated robot as a process serves it: one client at a time, a newer one replaces the older. In
 * lockstep time advances by one window per tock of the client; without a tock it stands still. A robot whose
 * client is gone brakes to rest, then time stands still too. In realtime it runs by the clock, client or not.
 */
export class HostServer {
  readonly #options: HostOptions;
  readonly #server: Server;
  #client: HostClient | undefined;
  #arrived: (() => void) | undefined;
  #nextMs = 0;
  #told: Referee | undefined;
  readonly #closing = new AbortController();

  constructor(options: HostOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Settles when clients can connect. Throws `sim.failed`. */
  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => {
        reject(
          new EdgeError('sim.failed', { operation: 'listen', subject: path, message: cause.message, cause }),
        );
      });
      this.#server.listen(path, resolve);
    });
  }

  /** Runs the world until `close`. Rejects with `sim.failed`. */
  async run(): Promise<void> {
    const { simulation, pace } = this.#options;
    while (!this.#closing.signal.aborted) {
      const client = this.#client;
      if (!client && pace === 'lockstep' && simulation.atRest) {
        await this.#nextClient();
        continue;
      }
      await this.#pace(client !== undefined || pace === 'realtime');
      const samples = simulation.window();
      client?.send(samples);
      this.#tellReferee();
      const tock = client?.tick(simulation.time);
      if (pace === 'lockstep') await tock;
    }
  }

  close(): void {
    this.#closing.abort();
    this.#client?.close();
    this.#arrived?.();
    this.#server.close();
  }

  #accept(socket: Socket): void {
    const { simulation, description } = this.#options;
    this.#client?.close();
    // Requests of the older client are no longer answered.
    simulation.brake();
    const client: HostClient = new HostClient(
      socket,
      (sample) => {
        if (this.#client !== client) return 'another client has taken over';
        // It waited in a frozen process. A stop carries no expiry.
        const late = hasExpired(sample.expiresAtMs, this.#options.clock.monotonicMs());
        return late ? 'the command came too late' : simulation.obey(sample);
      },
      () => {
        if (this.#client !== client) return;
        this.#client = undefined;
        simulation.brake();
      },
      this.#options.queueBytesMax,
    );
    this.#client = client;
    client.tell(helloMessage(simulation.time, description));
    client.tell(refereeMessage(simulation.time, simulation.referee));
    client.send(simulation.latched());
    this.#arrived?.();
  }

  #nextClient(): Promise<void> {
    return new Promise((resolve) => {
      this.#arrived = resolve;
      if (this.#client || this.#closing.signal.aborted) resolve();
    });
  }

  #tellReferee(): void {
    const { simulation } = this.#options;
    const { referee } = simulation;
    const told = this.#told;
    const same =
      told?.reachedExit === referee.reachedExit &&
      told.collisions === referee.collisions &&
      told.refusedCommands === referee.refusedCommands;
    if (same) return;
    this.#told = referee;
    this.#client?.tell(refereeMessage(simulation.time, referee));
  }

  /** Waits for this window's turn by the wall clock. */
  async #pace(someoneWaits: boolean): Promise<void> {
    const { clock, speed, pace, simulation } = this.#options;
    if (!someoneWaits) return;
    if (speed === Infinity) {
      // A free running world never waits for a client: give the sockets a turn.
      if (pace === 'realtime') await pause(clock, 0, this.#closing.signal);
      return;
    }
    const periodMs = Number(simulation.windowNs) / 1e6 / speed;
    const now = clock.monotonicMs();
    this.#nextMs = Math.max(
      this.#nextMs + periodMs,
      now - Math.max(BEHIND_MS, BEHIND_WINDOWS_MAX * periodMs),
    );
    const waitMs = this.#nextMs - now;
    if (waitMs > 0) await pause(clock, waitMs, this.#closing.signal);
    else if (pace === 'realtime') await pause(clock, 0, this.#closing.signal);
  }
}
