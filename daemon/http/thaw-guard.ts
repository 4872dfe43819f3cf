import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  type Clock,
  EdgeError,
  FREEZE_LOOK_MS,
  FreezeWatch,
  fieldsOf,
  LIMITS,
  type Timer,
} from '../../contract/index.ts';
import { A2A_SENDS, saysStop } from './says-stop.ts';

/**
 * How long the guard refuses after a freeze: what waited in sockets is read within these turns of a timer. They are
 * counted rather than timed, because the process may stall again before it has read its sockets.
 */
const REFUSE_TURNS = 10;
const TURN_MS = 10;
/** A freeze of `COMMAND_EXPIRY_MS` is seen at least as this long, since it may start between two looks. */
const SHORTEST_MS = LIMITS.COMMAND_EXPIRY_MS - FREEZE_LOOK_MS;

/** An order that opens or continues a run counts this long: a busy host may hold a process up for a second or two. */
const RUN_ORDER_MS = 5_000;

/** Orders that start a motion. Stops, the emergency stop and the return of a lease are never too late. */
const MOTIONS: readonly string[] = [
  '/v1/teleop',
  '/v1/topics/publish',
  '/v1/robot/navigate',
  '/v1/robot/maneuver',
  '/v1/arm/trajectory',
  '/v1/arm/gripper',
  '/v1/controllers/:name/start',
  '/v1/ros/actions/goals',
  '/v1/plays',
  '/v1/plays/:id/resume',
  '/v1/plays/:id/seek',
  '/v1/plays/:id/rate',
];
/** Orders that open a run, or continue one: an agent acts on what it hears. */
const RUNS: readonly string[] = [
  '/v1/intents',
  '/v1/runs/:id/resume',
  '/v1/runs/:id/messages',
  '/v1/runs/:id/fork',
  '/v1/ask/:id/confirm',
  '/v1/approvals/:id/answer',
  '/v1/questions/:questionId/answer',
  '/v1/webhooks/:app/:name',
  '/v1/plans',
  '/v1/sessions',
  '/v1/sessions/:id/messages',
  '/v1/sessions/:id/steer',
  '/v1/sessions/:id/follow-up',
  '/mcp',
  '/a2a',
  ...['/a2a/http/message::send', '/a2a/http/message::stream'],
];
/** All paths with such orders. */
export const MOVES: readonly string[] = [...MOTIONS, ...RUNS];
/** How long an order counts, milliseconds, by its path. */
const COUNTS_MS: ReadonlyMap<string | undefined, number> = new Map([
  ...MOTIONS.map((path): [string, number] => [path, SHORTEST_MS]),
  ...RUNS.map((path): [string, number] => [path, RUN_ORDER_MS]),
]);

/** What of these requests stops, denies or only reads is never too late. */
function isLateHarmless(url: string | undefined, body: unknown): boolean {
  const { kind, decision } = (body ?? {}) as { kind?: unknown; decision?: unknown };
  if (saysStop(url, body)) return true;
  if (url === '/mcp') return ![body].flat().some(submits);
  if (url === '/a2a') return !A2A_SENDS.has((body as { method?: unknown } | null | undefined)?.method);
  if (url === '/v1/approvals/:id/answer') return decision === 'deny';
  return kind === 'stop' || kind === 'close';
}

/** A message of an MCP client that asks the robot for something else than to stop. */
function submits(message: unknown): boolean {
  const { method, params } = fieldsOf(message);
  const { name, arguments: intent } = fieldsOf(params);
  return method === 'tools/call' && name === 'run_submit' && !saysStop('/v1/intents', intent);
}

/**
 * An order that lay in a socket while this process was frozen carries the time of its reading. It looks like a
 * new one, so an order that is read right after a freeze is refused where the freeze was longer than the order counts.
 */
export class ThawGuard {
  readonly #clock: Clock;
  readonly #freeze: FreezeWatch;
  /** The freezes whose orders may still wait in a socket. A later, shorter freeze does not make them younger. */
  #freezes: { readonly frozenMs: number; turns: number }[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#freeze = new FreezeWatch(clock, (frozenMs) => this.#thawed(frozenMs), SHORTEST_MS);
  }

  /** Guards the routes of this server until it closes. */
  watch(app: FastifyInstance): void {
    this.#freeze.start();
    // No order waits in a socket that is not open yet: a slow start is no freeze.
    app.addHook('onListen', async () => {
      this.#freeze.look();
      this.#forget();
    });
    app.addHook('onClose', async () => {
      this.#freeze.close();
      this.#forget();
    });
    // The body is in: what is late is late whatever it says, unless it stops.
    app.addHook('preValidation', async (request) => this.#check(request));
  }

  #thawed(frozenMs: number): void {
    this.#freezes.push({ frozenMs, turns: REFUSE_TURNS });
    this.#timer ??= this.#clock.every(TURN_MS, () => {
      for (const freeze of this.#freezes) freeze.turns -= 1;
      this.#freezes = this.#freezes.filter(({ turns }) => turns > 0);
      if (this.#freezes.length === 0) this.#forget();
    });
  }

  #forget(): void {
    this.#freezes = [];
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #check({ method, body, routeOptions: { url } }: FastifyRequest): void {
    const countsMs = COUNTS_MS.get(url);
    if (method !== 'POST' || countsMs === undefined || isLateHarmless(url, body)) return;
    // The socket may be read before the timer of the watch.
    this.#freeze.look();
    if (this.#freezes.every(({ frozenMs }) => frozenMs < countsMs)) return;
    throw new EdgeError('command.expired', {
      operation: `POST ${url}`,
      subject: 'robot',
      message: 'this process stood still a moment ago, and the order may be old',
      hint: 'send it again if it is still wanted',
    });
  }
}
