import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { EdgeError, LIMITS } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { action, type CommandContext } from '../context.ts';
import { bytes, table, toJson } from '../output.ts';
import type { Status } from '../status-view.ts';
import { fieldNameOf, keysOf, valueAt } from '../topics/field-of.ts';
import { RateMeter } from '../topics/rate-meter.ts';
import { sparkLine } from '../topics/spark-line.ts';

type Topic = {
  readonly topic: string;
  readonly type: string;
  readonly hz: number;
  readonly latched: boolean;
  readonly readable: boolean;
};
type Ends = { readonly count?: string; readonly seconds?: string };
type PublishOptions = { readonly count: string; readonly rate: string; readonly definition?: string };

const REFRESH_MS = 500;
/** A topic that is there and silent for so long is said to be silent. */
const SILENT_MS = 3_000;
/** Longer is a mistake, and more than a timer can wait. */
const SECONDS_MAX = 1_000_000;
const VALUES_MAX = 4_096;

export function addTopicsCommands(program: Command): void {
  const topics = program
    .command('topics')
    .description('topics of the robot: list, read, measure, publish')
    .addHelpText(
      'after',
      `
Examples:
  auraison topics list
  auraison topics echo /odom --field pose.pose.position --count 1
  auraison topics hz /scan --seconds 5
  auraison topics publish /note std_msgs/msg/String '{"data": "hello"}'
  auraison topics publish /lamp acme_msgs/msg/Lamp '{"on": true}' --definition Lamp.msg`,
    );
  topics
    .command('list')
    .description('topics with their types and rates')
    .action(
      action(async ({ api, out }) => {
        const found = await api.get<{ topics: Topic[] }>('/v1/topics');
        out.result(found, () =>
          table(
            ['TOPIC', 'TYPE', 'HZ', ''],
            found.topics.map(({ topic, type, hz, latched, readable }) => [
              ...[topic, type, hz.toFixed(1)],
              [...(latched ? ['latched'] : []), ...(readable ? [] : ['no definition'])].join(', '),
            ]),
          ),
        );
        return 0;
      }),
    );
  topics
    .command('echo <topic>')
    .description('messages as they come, of any type whose definition the robot knows; Ctrl-C ends it')
    .option('--field <path>', 'only this field, like pose.position or position[3]')
    .option('--count <n>', 'end after so many messages')
    .option('--seconds <s>', 'end after so long')
    .action(action(echo));
  topics
    .command('hz <topic>')
    .description('rate, bytes per second and gaps of a topic; Ctrl-C ends it')
    .option('--count <n>', 'end after so many messages')
    .option('--seconds <s>', 'end after so long')
    .action(action(hz));
  topics
    .command('publish <topic> <type> [message]')
    .description(
      'publish a message; JSON, missing fields take their defaults. What may move the robot is refused',
    )
    .option('--count <n>', 'so many times', '1')
    .option('--rate <hz>', 'so often in a second', '1')
    .option('--definition <file>', '.msg file (with its dependencies) of a type that the robot does not know')
    .action(action(publish));
}

/** `auraison plot TOPIC.FIELD`. */
export function addPlotCommand(program: Command): void {
  program
    .command('plot <field>')
    .description('a number of a topic as a line that moves in the terminal; Ctrl-C ends it')
    .option('--count <n>', 'end after so many messages')
    .option('--seconds <s>', 'end after so long')
    .addHelpText('after', '\nExample:\n  auraison plot /odom.twist.twist.linear.x')
    .action(action(plot));
}

async function echo(context: CommandContext, topic: string, options: Ends & { readonly field?: string }) {
  const keys = keysOf(options.field ?? '');
  return await follow(context, topic, options, (message) => {
    const value = valueAt(message, keys);
    if (value === undefined)
      throw wrong(topic, `messages of ${topic} have no field ${options.field}`, Object.keys(Object(message)));
    process.stdout.write(
      context.out.json
        ? `${toJson(value)}\n`
        : `${toJson(value, 2)}${typeof value === 'object' ? '\n---' : ''}\n`,
    );
  });
}

async function hz(context: CommandContext, topic: string, options: Ends) {
  const meter = new RateMeter();
  const live = liveLine(() => rateText(meter));
  await follow(context, topic, options, undefined, (atMs, size) => meter.take(atMs, size)).finally(live.end);
  context.out.result(meter.view(), () => rateText(meter));
  return meter.view().messages > 0 ? 0 : 1;
}

function rateText(meter: RateMeter): string {
  const { messages, hz: rate, bytes: size, shortestMs, longestMs } = meter.view();
  if (rate === undefined || size === undefined) return `${messages} messages`;
  const gaps = `gaps ${shortestMs.toFixed(1)} to ${longestMs.toFixed(1)} ms`;
  return `${rate.toFixed(2)} Hz  ${bytes(size)}/s  ${gaps}  ${messages} messages`;
}

async function plot(context: CommandContext, field: string, options: Ends) {
  const { topic, keys } = fieldNameOf(field);
  const values: number[] = [];
  const width = () => Math.max(10, (process.stdout.columns ?? 80) - 34);
  const text = () =>
    values.length === 0
      ? 'no message yet'
      : `${sparkLine(values, width())} ${figure(values.at(-1)!)}  ${figure(Math.min(...values))} to ${figure(Math.max(...values))}`;
  const live = liveLine(text);
  const count = await follow(context, topic, options, (message) => {
    const value = Number(valueAt(message, keys) ?? Number.NaN);
    values.push(value);
    if (values.length > VALUES_MAX) values.shift();
  }).finally(live.end);
  if (values.length > 0 && values.every(Number.isNaN))
    throw wrong(topic, `messages of ${topic} have no number at ${field}`, []);
  context.out.result({ field, values }, text);
  return count;
}

const figure = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(5));

/** One line that is written again and again, at a terminal only. */
function liveLine(text: () => string): { end(): void } {
  if (process.stderr.isTTY !== true) return { end: () => {} };
  const timer = setInterval(() => {
    process.stderr.write(`\r\u001b[2K${text().slice(0, (process.stderr.columns ?? 80) - 1)}`);
  }, REFRESH_MS);
  return {
    end: () => {
      clearInterval(timer);
      process.stderr.write('\r\u001b[2K');
    },
  };
}

/** Why a simulated robot publishes nothing; empty where that is not the reason, or not known. */
async function standstill(api: ApiClient): Promise<string> {
  const { robot } = await api
    .get<Status>('/v1/status')
    .catch(() => ({ robot: { available: false } as const }));
  return robot.available && robot.source.kind === 'sim' && robot.motion === 'idle'
    ? ' (the simulated robot stands, and in lockstep its time with it: move it, or set sim.pace = "realtime")'
    : '';
}

/** The exit code: 1 where no message came. `take` gets the values of each message, `measure` when it came and its size. */
async function follow(
  { settings, out, api }: CommandContext,
  topic: string,
  { count, seconds }: Ends,
  take?: (message: unknown) => void,
  measure?: (atMs: number, size: number) => void,
): Promise<number> {
  if (!/^\/[\w/]+$/.test(topic)) throw wrong(topic, `a topic like /odom expected, found ${topic}`, []);
  const most = count === undefined ? Number.POSITIVE_INFINITY : positive('--count', count);
  const ending = new AbortController();
  const end = () => ending.abort();
  const timer =
    seconds === undefined ? undefined : setTimeout(end, positive('--seconds', seconds, SECONDS_MAX) * 1_000);
  process.once('SIGINT', end);
  let seen = 0;
  let isMissing = false;
  const silent = setTimeout(async () => {
    const why = await standstill(api);
    if (seen === 0 && !isMissing) out.note(`${topic} is silent${why}; waiting for its first message`);
  }, SILENT_MS);
  const missing = () => {
    if (!isMissing) out.note(`there is no topic ${topic} yet; waiting for it (auraison topics list)`);
    isMissing = true;
  };
  try {
    const [{ followTopic }, { decodeAny, plainValue }] = await Promise.all([
      import('../topics/live-topics.ts'),
      import('../../formats/ros2/index.ts'),
    ]);
    await followTopic({
      ...{ settings, topic, signal: ending.signal, missing, note: (text: string) => out.note(text) },
      offered: () => {
        isMissing = false;
      },
      take: ({ atNs, bytes: data, from }) => {
        if (seen >= most) return;
        seen += 1;
        measure?.(Number(atNs / 1_000n) / 1_000, data.length);
        take?.(plainValue(decodeAny(from.schemaName, data, from.schema)));
        if (seen >= most) end();
      },
    });
  } finally {
    clearTimeout(timer);
    clearTimeout(silent);
    process.off('SIGINT', end);
  }
  if (seen === 0) out.note(`no message of ${topic} came; auraison topics list shows what there is`);
  return seen > 0 ? 0 : 1;
}

async function publish(
  { api, out }: CommandContext,
  topic: string,
  type: string,
  text: string | undefined,
  { count, rate, definition }: PublishOptions,
): Promise<number> {
  const times = positive('--count', count);
  const everyMs = Math.min(1_000 / positive('--rate', rate), SECONDS_MAX * 1_000);
  const body = {
    ...{ topic, type, message: jsonOf(text ?? '{}') },
    ...(definition === undefined ? {} : { definition: definitionIn(definition) }),
  };
  let sent = 0;
  let size = 0;
  for (; sent < times; sent++) {
    if (sent > 0) await sleep(everyMs);
    size = (await api.post<{ bytes: number }>('/v1/topics/publish', body)).bytes;
  }
  out.result({ messages: sent, bytes: size }, () => `${sent} × ${bytes(size)} to ${topic}`);
  return 0;
}

function definitionIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(0, LIMITS.TOPIC_DEFINITION_MAX + 1);
  } catch (cause) {
    throw wrong(file, `cannot read ${file}: ${(cause as Error).message}`, []);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrong('message', `not JSON: ${(error as Error).message}`, []);
  }
}

function positive(option: string, text: string, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (value > 0 && value <= most) return value;
  const upTo = most === Number.MAX_SAFE_INTEGER ? '' : `, at most ${most},`;
  throw wrong(option, `${option} ${text}: a number above 0${upTo} expected`, []);
}

function wrong(subject: string, message: string, fields: readonly string[]): EdgeError {
  const hint = fields.length === 0 ? '' : `fields: ${fields.slice(0, 20).join(', ')}`;
  return new EdgeError('schema.invalid', { operation: 'topics', subject, message, hint });
}
