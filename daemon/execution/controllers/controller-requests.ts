import { type CellBus, type ControllerOrder, EdgeError, METHODS } from '../../../contract/core.ts';
import type { StopNews } from '../safety/stop-news.ts';
import type { ControllersDesk } from './controllers-desk.ts';

/** Longest that a controller may be asked to run at a time, seconds. */
const SECONDS_MAX = 86_400;
const TEXT_MAX = 4_096;
const BY_MAX = 128;
const KEYS = ['controller', 'task', 'plan_step', 'seconds', 'motionId', 'run'];

/** The methods `controller.*` of the execution cell. A stop of controllers on request is news of a stop. */
export function serveControllers(
  bus: Pick<CellBus, 'handle'>,
  desk: ControllersDesk,
  news?: () => Pick<StopNews, 'ordered'>,
): void {
  const { execution } = METHODS;
  bus.handle(execution.controllerList, async () => desk.list());
  bus.handle(execution.controllerStart, async (body, from, _madeAtMs, wantedAtMs) =>
    desk.begin(parseOrder(body), from, wantedAtMs),
  );
  bus.handle(execution.controllerStop, async (body) => {
    const { controller, reason, motionId, by } = parseStop(body);
    const stopped = desk.stop(controller, reason, { motionId, by });
    // The end of one motion is no stop of the robot, and neither is what every stop of a run ends.
    if (motionId === undefined) news?.().ordered();
    return stopped;
  });
}

/** Throws `schema.invalid` naming the field. */
export function parseOrder(body: unknown): ControllerOrder {
  const order = fields(body, KEYS);
  const { seconds } = order;
  const bounded = typeof seconds === 'number' && seconds > 0 && seconds <= SECONDS_MAX;
  if (seconds !== undefined && !bounded) throw bad('/seconds', `must be above 0 and at most ${SECONDS_MAX}`);
  const controller = text(order['controller'], '/controller');
  if (controller === undefined || controller === '')
    throw bad('/controller', 'must be the name of a controller');
  const told = { task: text(order['task'], '/task'), plan_step: text(order['plan_step'], '/plan_step') };
  const motionId = text(order['motionId'], '/motionId');
  const run = text(order['run'], '/run');
  return {
    controller,
    ...(told.task === undefined ? {} : { task: told.task }),
    ...(told.plan_step === undefined ? {} : { plan_step: told.plan_step }),
    ...(seconds === undefined ? {} : { seconds: seconds as number }),
    ...(motionId === undefined ? {} : { motionId }),
    ...(run === undefined ? {} : { run }),
  };
}

/** `controller` absent: all of them. */
type ControllerStop = {
  readonly controller: string | undefined;
  readonly reason: string;
  /** Only what this motion moves; absent: whatever moves. */
  readonly motionId: string | undefined;
  /** The principal that asked. */
  readonly by: string | undefined;
};

/** Never throws: what does not fit is left out, and without a name all of them are stopped. */
function parseStop(body: unknown): ControllerStop {
  const order = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const words = (key: string) => (typeof order[key] === 'string' ? order[key].slice(0, TEXT_MAX) : undefined);
  return {
    motionId: words('motionId'),
    controller: words('controller'),
    reason: words('reason') ?? 'asked for',
    by: words('by')?.slice(0, BY_MAX) || undefined,
  };
}

function fields(value: unknown, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad('/', 'must be an object');
  const stranger = Object.keys(value).find((key) => !known.includes(key));
  if (stranger !== undefined) throw bad(`/${stranger}`, 'unknown field');
  return value as Record<string, unknown>;
}

function text(value: unknown, path: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length > TEXT_MAX)
    throw bad(path, `must be text of at most ${TEXT_MAX}`);
  return value;
}

function bad(subject: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'controller request',
    subject,
    message: `${subject}: ${message}`,
  });
}
