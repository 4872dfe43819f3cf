import { METHODS } from '../../../../contract/index.ts';
import type { Random } from '../../../../sim/random.ts';
import { signedHeaders } from '../../signed-webhook.ts';
import type { Motion } from '../faults.ts';
import { a2aOf, request } from './api-routes.ts';
import type { Asker } from './askers.ts';
import type { BrokerCentral } from './broker.ts';
import { Central } from './central.ts';
import type { VirtualDaemon } from './daemon.ts';
import { BASE_KEY, type Network, RUN_ACTION } from './network.ts';
import { WANTS } from './packages.ts';
import { robotOf } from './program.ts';
import { RECEIVER } from './push-receiver.ts';
import { CALLER, SECRET } from './runtime.ts';

/** What asks for runs does so again this often, milliseconds. */
const AGAIN_MS = 250;
/** An answer that has not come by then comes no more, milliseconds. */
const ANSWER_MS = 1_500;
const RUN_INTENT = 'auraison_interfaces/action/RunIntent';

/** An asker whose motions are those of runs. */
export interface RunAsker extends Asker {
  /** No new run is asked for; an agent of a run goes on as it likes. */
  endIntents(): void;
}

export function isRunAsker(asker: Asker | undefined): asker is RunAsker {
  return asker !== undefined && 'endIntents' in asker;
}

type Send = () => Promise<unknown>;

/** Somebody who asks for runs, again and again, whatever is answered; not while one runs or waits for its turn. */
export class Intents implements RunAsker {
  readonly #daemon: VirtualDaemon;
  readonly #send: Send;
  #asks = false;
  #isAsking = false;

  constructor(daemon: VirtualDaemon, send: Send) {
    this.#daemon = daemon;
    this.#send = send;
  }

  start(): void {
    this.#asks = true;
    this.#next();
  }

  end(): void {
    this.#asks = false;
  }

  endIntents(): void {
    this.end();
  }

  #next(): void {
    if (!this.#asks) return;
    if (!this.#isAsking) {
      this.#isAsking = true;
      const done = () => {
        this.#isAsking = false;
      };
      // A daemon that dies answers nothing.
      this.#daemon.host.after(ANSWER_MS, done);
      this.#ask().then(done, done);
    }
    this.#daemon.host.after(AGAIN_MS, () => this.#next());
  }

  async #ask(): Promise<void> {
    const busy = await this.#daemon.api.ask(({ cell }) =>
      cell.status().runs.some(({ status }) => status === 'running' || status === 'queued'),
    );
    if (!busy && this.#asks) await this.#send();
  }
}

/** The schedule of a package, which its owner turns off in the end. */
export class Scheduled implements RunAsker {
  readonly #daemon: VirtualDaemon;
  isOn = false;

  constructor(daemon: VirtualDaemon) {
    this.#daemon = daemon;
  }

  start(): void {
    this.isOn = true;
    this.#daemon.api.ask((runtime) => runtime.schedules(true)).catch(() => {});
  }

  end(): void {
    this.isOn = false;
    this.#daemon.api.ask((runtime) => runtime.schedules(false)).catch(() => {});
  }

  endIntents(): void {
    this.end();
  }
}

export const submit = (daemon: VirtualDaemon, type: string, params: object = {}, who = CALLER) =>
  daemon.api.ask(({ cell }) => cell.submit({ type, params }, who));

/** A message of another system to the webhook of a package, signed, or as somebody would who knows no secret. */
export type Forgery = 'secret' | 'time' | 'body' | 'none';
export function webhookMessage(daemon: VirtualDaemon, id: string, to: number, forge?: Forgery) {
  const body = JSON.stringify({ go: true, to });
  const nowS = Math.floor(Number(daemon.host.now() / 1_000_000_000n));
  const headers = signedHeaders(
    forge === 'body' ? '{"go":false}' : body,
    id,
    forge === 'time' ? nowS - 3_600 : nowS,
    forge === 'secret' ? 'a guess' : SECRET,
  );
  const given = (name: string) => (forge === 'none' ? undefined : headers[name]);
  return {
    ...{ name: 'pushed.go', id: given('webhook-id'), timestamp: given('webhook-timestamp') },
    ...{ signature: given('webhook-signature'), body: new TextEncoder().encode(body) },
  };
}

type To = () => number;

/** A play of recorded commands, by the API; a second one is refused while one plays. */
function played(daemon: VirtualDaemon): Send {
  const options = { path: 'turns.mcap', rate: 1, loop: false, startS: 0, topics: [], exclude: [], remap: [] };
  return () => daemon.api.post('/v1/plays', METHODS.execution.bagPlay, { ...options, allowCommands: true });
}

function webhook(daemon: VirtualDaemon, random: Random, to: To): Send {
  let count = 0;
  return async () => {
    // Sometimes one is sent again: it opens nothing.
    if (count === 0 || random.float() < 0.8) count++;
    const message = webhookMessage(daemon, `message-${count}`, to());
    return daemon.api.ask(({ webhooks }) => webhooks.receive(message));
  };
}

/** A message of another agent that asks for a run. */
function a2aMessage(count: number, to: number) {
  const message = {
    ...{ messageId: `m${count}`, role: 'ROLE_USER', contextId: `c${count}` },
    parts: [{ data: { skill: 'pushed/go', params: { to } } }],
  };
  return { message, configuration: { returnImmediately: true } };
}

/** One message to this robot by the Agent2Agent protocol, over JSON-RPC. */
function sendMessage(daemon: VirtualDaemon, id: number, params: object): Promise<unknown> {
  return daemon.api.ask(async (runtime) =>
    (await a2aOf(daemon, runtime)).call({
      body: { jsonrpc: '2.0', id, method: 'SendMessage', params },
      ...{ version: '1.0', base: 'http://r1', who: { ...CALLER, origin: 'a2a' } },
      gone: new AbortController().signal,
    }),
  );
}

/** Another agent that sends such messages, */
function a2a(daemon: VirtualDaemon, to: To): Send {
  let count = 0;
  return () => sendMessage(daemon, ++count, a2aMessage(count, to()));
}

/** which may have the states of its tasks posted to a receiver that stalls or lies, and answers each with words to its task, */
function a2aPush(daemon: VirtualDaemon, { receiver }: Network, random: Random, to: To): Send {
  let count = 0;
  receiver.random = random;
  receiver.heard = (taskId) => {
    const message = { messageId: `again${++count}`, role: 'ROLE_USER', taskId, parts: [{ text: 'Go on.' }] };
    sendMessage(daemon, count, { message, configuration: { returnImmediately: true } }).catch(() => {});
  };
  const taskPushNotificationConfig = { url: `${RECEIVER}/states`, token: 'mine' };
  return () => {
    const { message, configuration } = a2aMessage(++count, to());
    return sendMessage(daemon, count, {
      message,
      configuration: { ...configuration, taskPushNotificationConfig },
    });
  };
}

/** or over HTTP+JSON, by the routes of the API. */
function a2aRest(daemon: VirtualDaemon, to: To): Send {
  let count = 0;
  return () => {
    const body = JSON.stringify(a2aMessage(++count, to()));
    const url = '/a2a/http/message:send';
    return request(daemon, { method: 'POST', url, type: 'application/a2a+json', body });
  };
}

/** A program that has the robot by the SDK, and waits for the end of each run. */
function program(daemon: VirtualDaemon, to: To): Send {
  let opening: ReturnType<typeof robotOf> | undefined;
  return async () => {
    opening ??= robotOf(daemon);
    await (await opening).intent('pushed/go', { to: to() });
  };
}

/** A client of this robot as an MCP server. */
function mcp(daemon: VirtualDaemon, to: To): Send {
  const call = { name: 'run_submit' };
  return () =>
    daemon.api.ask(async (runtime) => {
      const { mcpClientOf } = await import('./mcp-client.ts');
      const client = await mcpClientOf(daemon, runtime);
      return await client.callTool({ ...call, arguments: { type: 'pushed/go', params: { to: to() } } });
    });
}

/** Orders of central, one after the other. */
function central(daemon: VirtualDaemon, to: To): Send {
  let made: Central | undefined;
  return async () => {
    const ids = await daemon.api.ask((runtime) => runtime.ids);
    made ??= new Central(daemon, () => ids);
    await made.settle(to());
  };
}

/** Orders of central over a broker; of a fault, so many more of them are posted at once. */
export class OverBroker extends Intents {
  readonly #daemon: VirtualDaemon;
  readonly #to: To;
  #made: Promise<BrokerCentral> | undefined;

  constructor(daemon: VirtualDaemon, to: To) {
    super(daemon, async () => (await this.central()).settle(to()));
    this.#daemon = daemon;
    this.#to = to;
  }

  async central(): Promise<BrokerCentral> {
    this.#made ??= (async () => {
      const { BrokerCentral } = await import('./broker.ts');
      return await this.#daemon.api.ask((runtime) => BrokerCentral.open(this.#daemon, runtime));
    })();
    return await this.#made;
  }

  /** Orders that do not wait for the end of the run before. */
  async post(count: number): Promise<void> {
    const central = await this.central();
    for (let i = 0; i < count; i++) central.post(this.#to());
  }
}

function zenoh({ far }: Network, to: To): Send {
  return () => {
    const payload = new TextEncoder().encode(JSON.stringify({ type: 'pushed/go', params: { to: to() } }));
    return far.query(`${BASE_KEY}/intent`, { payload, encoding: 'application/json', timeoutMs: 1_000 });
  };
}

function ordered({ ros }: Network, to: To): Send {
  return () => {
    const goal = {
      ...{ type: 'pushed/go', params_json: JSON.stringify({ to: to() }) },
      ...{ idempotency_key: '', priority: 5, traceparent: '', deadline: { sec: 0, nanosec: 0 } },
    };
    return ros.actions.send(RUN_ACTION, RUN_INTENT, goal, { timeoutMs: 1_000 });
  };
}

/** Who asks for the runs of this motion; undefined: it is not a motion of runs that a package of the daemon executes. */
export function intentsOf(
  motion: Motion,
  daemon: VirtualDaemon,
  random: Random,
  network: Network,
): RunAsker | undefined {
  const { places, nodePlaces } = WANTS[daemon.robotKind];
  let count = 0;
  const to = () => places[count++ % 2]!;
  const senders: Partial<Record<Motion, () => Send>> = {
    webhook: () => webhook(daemon, random, to),
    parallel: () => () => submit(daemon, 'parts/go', { to: to() }),
    tree: () => () => {
      const at = nodePlaces[count++ % 2]!;
      return submit(daemon, 'tree/go', daemon.robotKind === 'arm' ? { joints: { joint_1: at } } : { to: at });
    },
    a2a: () => a2a(daemon, to),
    'a2a-rest': () => a2aRest(daemon, to),
    'a2a-push': () => a2aPush(daemon, network, random, to),
    sdk: () => program(daemon, to),
    mcp: () => mcp(daemon, to),
    central: () => central(daemon, to),
    zenoh: () => zenoh(network, to),
    ordered: () => ordered(network, to),
    play: () => played(daemon),
  };
  if (motion === 'mqtt') return new OverBroker(daemon, to);
  const sender = senders[motion];
  return sender && new Intents(daemon, sender());
}
