import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { OrderView } from '../../central/order-store.ts';
import { EdgeError, toWireTime } from '../../contract/core.ts';
import { parseQuantity } from '../../daemon/config/quantity.ts';
import type { GlobalOptions } from '../context.ts';
import { failWith, makeOutput, table, toJson } from '../output.ts';

type At = { readonly url: string; readonly tokenFile?: string };
type Sent = At & {
  readonly params?: string;
  readonly priority?: number;
  readonly within: string;
  readonly by?: string;
  readonly orderId?: string;
};

const REQUEST_MS = 10_000;

/** Orders of operators to robots through the coordinator. */
export function addOrdersCommands(program: Command): void {
  const orders = program
    .command('orders')
    .description('intents, cancellations, approvals and grants for robots, posted at the coordinator')
    .addHelpText(
      'after',
      `
Examples:
  auraison orders send r1 maze/find_exit --token-file central/operator-token
  auraison orders send r1 maze/find_exit --params '{"floor": 2}' --within 10min
  auraison orders list r1
  auraison orders cancel r1 ORDER
  auraison orders approve r1 APPROVAL deny --reason "not at night"
  auraison orders grant r1 night-shift.json`,
    );
  const at = (name: string) =>
    orders
      .command(name)
      .option('--url <address>', 'the coordinator', 'http://127.0.0.1:7602')
      .option('--token-file <file>', 'its operator-token; not needed where it asks for none');

  at('send <robot> <intent>')
    .description('ask a robot for something; it takes it when it is there')
    .option('--params <json>', 'params of the intent')
    .option('--priority <number>', '0 to 9', wholeNumber)
    .option('--within <duration>', 'it expires then; "never" is possible', '1 h')
    .option(
      '--by <name>',
      'the operator: the owner of the token, or any name where central asks for no token',
    )
    .option('--order-id <uuid>', 'the same id twice is one order')
    .action(
      act(async (options: Sent, robot, type) => {
        const body = {
          type,
          ...(options.params === undefined ? {} : { params: json(options.params) }),
          ...(options.priority === undefined ? {} : { priority: options.priority }),
          ...deadline(options.within),
        };
        const id = options.orderId === undefined ? {} : { order_id: options.orderId };
        return post(options, { robot, kind: 'intent', body, ...named(options.by), ...id });
      }),
    );
  at('cancel <robot> <order>')
    .description('end the run of an order, or keep it from being taken')
    .option('--reason <text>', 'why', 'cancelled by an operator')
    .action(
      act(async (options: At & { reason: string }, robot, order_id) =>
        post(options, { robot, kind: 'cancel', body: { order_id, reason: options.reason } }),
      ),
    );
  at('approve <robot> <approval> <decision>')
    .description('answer a question of a robot: allow or deny')
    .option('--reason <text>', 'why', '')
    .option('--by <name>', 'who answers, likewise')
    .action(
      act(async (options: At & { reason: string; by?: string }, robot, approval_id, decision) =>
        post(options, {
          robot,
          kind: 'approval',
          body: { approval_id, decision, reason: options.reason },
          ...named(options.by),
        }),
      ),
    );
  at('grant <robot> <file>')
    .description('hand a robot a signed grant (JSON)')
    .action(
      act(async (options: At, robot, file) =>
        post(options, { robot, kind: 'grant', body: json(readFileSync(file!, 'utf8')) }),
      ),
    );
  at('list [robot]')
    .description('orders and what became of them, the newest first')
    .action(
      act(async (options: At, robot) => {
        const query = robot === undefined ? '' : `?robot=${encodeURIComponent(robot)}`;
        const { orders: found } = (await ask(options, 'GET', query)) as { orders: OrderView[] };
        return { value: found, text: () => listText(found) };
      }),
    );
}

type Result = { readonly value: unknown; readonly text: () => string };

function named(by: string | undefined): { posted_by?: string } {
  return by === undefined ? {} : { posted_by: by };
}

function act<O extends At>(work: (options: O, ...args: string[]) => Promise<Result>) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const out = makeOutput(command.optsWithGlobals<GlobalOptions>().json === true);
    try {
      const { value, text } = await work(command.opts<O>(), ...command.args);
      out.result(value, text);
    } catch (error) {
      process.exitCode = failWith(error, out.json);
    }
  };
}

async function post(at: At, body: unknown): Promise<Result> {
  const order = (await ask(at, 'POST', '', body)) as OrderView & { duplicate: boolean };
  const state = order.duplicate ? `is known, ${order.state}` : 'waits for its robot';
  return { value: order, text: () => `order ${order.order_id} for ${order.robot} ${state}` };
}

async function ask(at: At, method: 'GET' | 'POST', query: string, body?: unknown): Promise<unknown> {
  const url = new URL(`orders/v1${query}`, at.url.endsWith('/') ? at.url : `${at.url}/`);
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(REQUEST_MS),
      headers: {
        ...(at.tokenFile === undefined
          ? {}
          : { authorization: `Bearer ${readFileSync(at.tokenFile, 'utf8').trim()}` }),
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const message = inner instanceof Error ? inner.message : String(inner);
    throw new EdgeError('link.unreachable', {
      operation: 'ask coordinator',
      subject: url.host,
      message,
      cause,
    });
  }
  const answer = (await response.json().catch(() => ({}))) as { code?: string };
  if (response.ok) return answer;
  if (answer.code === undefined)
    throw new EdgeError('link.unreachable', {
      operation: 'ask coordinator',
      subject: url.host,
      message: `it answers with status ${response.status} and no reason`,
    });
  throw EdgeError.fromBody(answer as never);
}

function deadline(within: string): { deadline?: string } {
  if (within === 'never') return {};
  const span = parseQuantity('duration', within);
  if (!span.ok || span.value <= 0)
    throw invalid(`--within: expected ${span.ok ? 'more than nothing' : span.expected}`);
  return { deadline: toWireTime(new SystemClock().now() + BigInt(Math.round(span.value)) * 1_000_000n) };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw invalid(`--params: not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function wholeNumber(text: string): number {
  if (/^[0-9]$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number from 0 to 9');
}

function invalid(message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'read options', subject: 'orders', message });
}

function listText(orders: readonly OrderView[]): string {
  if (orders.length === 0) return 'no orders yet; auraison orders send ROBOT INTENT';
  return table(
    ['ORDER', 'ROBOT', 'KIND', 'ASKS', 'STATE', 'RUN', 'REASON'],
    orders.map(({ order_id, robot, kind, body, state, run_id, report }) => [
      order_id,
      robot,
      kind,
      kind === 'intent' ? String(body['type'] ?? '') : toJson(body),
      report?.status === undefined ? state : `${state}: ${report.status}`,
      run_id ?? '',
      report?.reason ?? '',
    ]),
  );
}
