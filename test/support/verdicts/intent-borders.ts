import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Type } from 'typebox';
import { A2aEndpoint } from '../../../adapters/a2a/server/index.ts';
import { SystemClock } from '../../../adapters/clock/system-clock.ts';
import { McpEndpoint, robotOffer } from '../../../adapters/mcp/server/index.ts';
import { OrderDesk } from '../../../central-link/order-desk.ts';
import {
  type Application,
  canonicalJson,
  EdgeError,
  IdSource,
  type PolicyContext,
  type PolicyHook,
  type RunDetails,
  type RuntimeApi,
  toMs,
} from '../../../contract/index.ts';
import { IntentDoor } from '../../../daemon/execution/intents/intent-door.ts';
import { RosIntents } from '../../../daemon/execution/intents/ros-intents.ts';
import { RunFollower } from '../../../daemon/execution/intents/run-follower.ts';
import { ZenohIntents } from '../../../daemon/execution/intents/zenoh-intents.ts';
import { IntentDesk } from '../../../daemon/runtime/intents/intent-desk.ts';
import { PolicyGate } from '../../../daemon/runtime/law/policy-gate.ts';
import { serveRuntimeRequests } from '../../../daemon/runtime/runtime-requests.ts';
import { FakeBus } from '../../fakes/fake-bus.ts';
import { MemoryFabric, MemoryKeySpace } from '../../fakes/memory-key-space.ts';
import { MemoryRos } from '../../fakes/memory-ros.ts';
import { startRig, TinyRuntime, TOKEN } from '../http-rig.ts';
import { flowApp, oneState } from '../test-apps.ts';
import { uuid } from '../tiny-log.ts';
import { until } from '../until.ts';

/** A call as a client means it: a type of intent and its params. */
export type IntentCall = { readonly type: unknown; readonly params: unknown };

const closed = { additionalProperties: false } as const;
/** An application that takes places, a speed, a frame and a part of the robot, each within its range. */
const PARAMS = Type.Object(
  {
    x: Type.Number({ minimum: -100, maximum: 100 }),
    y: Type.Optional(Type.Number({ minimum: -100, maximum: 100 })),
    speed: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 0.5 })),
    frame: Type.Enum(['map', 'odom']),
    part: Type.Optional(Type.Enum(['base', 'arm', 'gripper'])),
    legs: Type.Optional(
      Type.Array(Type.Object({ x: Type.Number(), y: Type.Number() }, closed), { maxItems: 2 }),
    ),
  },
  closed,
);
const APP: Application = flowApp(
  'drive',
  oneState(async () => ({ kind: 'next', to: 'ok' }) as never),
  {
    intents: [{ type: 'drive/to', description: 'drives', params: PARAMS }],
  },
);

/** What the policies forbid: too far, too fast, in another frame, with the gripper. */
const LAW: PolicyHook = {
  name: 'law',
  decide: async ({ facts }) => {
    const { x, speed, frame, part } = facts['params'] as Record<string, number | string | undefined>;
    const why =
      Math.abs(Number(x)) > 50
        ? 'too far'
        : Number(speed ?? 0) > 0.3
          ? 'too fast'
          : frame !== 'map'
            ? 'another frame'
            : part === 'gripper'
              ? 'not with the gripper'
              : '';
    return { decision: why === '' ? 'allow' : 'deny', reason: why };
  },
};

const deskOf = (clock: SystemClock) =>
  new IntentDesk(
    {
      ...{ robot: 'r1', clock, hooks: new PolicyGate([LAW], clock) },
      ids: new IdSource(
        () => toMs(clock.now()),
        (length) => crypto.getRandomValues(new Uint8Array(length)),
      ),
    },
    [APP],
  );

/** The runtime behind every border: it admits and judges as the real one does, and opens no run. */
class JudgingRuntime extends TinyRuntime implements RuntimeApi {
  readonly accepted: { readonly params: unknown; readonly who: PolicyContext }[] = [];
  readonly #desk: IntentDesk;
  #details: RunDetails | undefined;

  constructor(clock: SystemClock) {
    super();
    this.#desk = deskOf(clock);
  }

  override async submit(request: unknown, context: unknown) {
    const admitted = this.#desk.admit(request, context as PolicyContext);
    const judged = await this.#desk.judge(admitted);
    if (!judged.accepted) throw judged.error;
    this.accepted.push({ params: judged.intent.params, who: judged.intent.policy_ctx });
    const opened = await super.submit({ type: judged.intent.type }, context);
    // It is over at once: nobody waits for its end.
    const run = { ...opened.run, run_id: uuid(1_000 + this.accepted.length), status: 'succeeded' as const };
    this.#details = { ...super.run(opened.run.run_id), run, intent: judged.intent, reason: 'done' };
    return { intent: judged.intent, run, duplicate: false };
  }

  override run(runId: string) {
    return this.#details?.run.run_id === runId ? this.#details : super.run(runId);
  }

  override runs() {
    return this.#details ? [this.#details] : [];
  }
}

export type Verdict = 'accepted' | 'refused';
export type Border = { readonly name: string; send(call: IntentCall): Promise<unknown> };
export type IntentBorders = {
  readonly borders: readonly Border[];
  /** What the door of intents says, asked itself. */
  law(call: IntentCall): Promise<Verdict>;
  /** What it says where the call comes through this border, and that its params came as they were. */
  through(border: Border, call: IntentCall): Promise<Verdict>;
  close(): Promise<void>;
};

const who = (origin: PolicyContext['origin']): PolicyContext => ({
  ...{ tenant: 'local', principal: 'vera', roles: ['operator'], origin },
});

/** Every border at which intents come in, with the servers of the daemon: HTTP, MCP, A2A, Zenoh, ROS, central. */
export async function openIntentBorders(): Promise<IntentBorders> {
  const clock = new SystemClock();
  const runtime = new JudgingRuntime(clock);
  const bus = new FakeBus(clock);
  serveRuntimeRequests(bus, runtime);
  let count = 0;
  const newId = () => uuid(100_000 + ++count);
  const away = () => Promise.reject(new EdgeError('cell.unavailable', { operation: 'ask', subject: 'test' }));
  const mcp = new McpEndpoint(
    clock,
    robotOffer({
      ...{ robot: 'r1', version: '1', clock, runtime, who: who('mcp'), houseTools: () => [] },
      ids: new IdSource(
        () => toMs(clock.now()),
        (length) => crypto.getRandomValues(new Uint8Array(length)),
      ),
      ...{ bus: { request: away }, wholeAnswer: away, stopRobot: away, judge: away, report: () => {} },
      openReader: () => {
        throw new Error('nothing is read');
      },
    }),
    () => {},
  );
  const a2a = new A2aEndpoint({
    ...{ robot: 'r1', version: '1', clock, runtime, apps: () => [APP], newId, message: away },
  });
  const http = await startRig({}, { runtime, mcp: mcp.handle, a2a });

  const client = new Client({ name: 'client', version: '1' });
  const headers = { authorization: `Bearer ${TOKEN}` };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${http.url}/mcp`), { requestInit: { headers } }),
  );

  const fabric = new MemoryFabric();
  const [near, far] = [new MemoryKeySpace(clock, fabric), new MemoryKeySpace(clock, fabric)];
  const door = new IntentDoor({ bus, clock, report: () => {} });
  const follower = new RunFollower(door, clock, bus);
  const parts = { door, follower, clock };
  await new ZenohIntents({ ...parts, base: 'fleet/r1', context: who('zenoh'), schema: '{}' }).attach(near);
  const ros = new MemoryRos(clock);
  const served = new RosIntents({
    ...{ ...parts, api: { actions: ros.actions, graph: ros.graph }, action: '/run_intent' },
    ...{ context: who('ros'), clientGone: 'continue', emit: async () => {}, report: () => {} },
  });
  door.start();
  await door.opened;
  await served.start();
  await until(() => door.isOpen, 'the runtime answers');
  const orders = new OrderDesk({ bus, clock, tenant: 'local', roles: ['operator'], random: () => 0.5 });

  const message = ({ type, params }: IntentCall) => ({
    message: {
      ...{ messageId: `m${++count}`, role: 'ROLE_USER', contextId: `c${count}` },
      parts: [{ data: { skill: type, params } }],
    },
    configuration: { returnImmediately: true },
  });
  const post = async (path: string, body: unknown, more: Record<string, string> = {}) => {
    const answer = await http.post(path, JSON.stringify(body), more);
    await answer.arrayBuffer();
  };
  const borders: Border[] = [
    { name: 'HTTP', send: ({ type, params }) => post('/v1/intents', { type, params }) },
    {
      name: 'MCP',
      // A client that sends what its library refuses to send has sent nothing.
      send: ({ type, params }) =>
        client.callTool({ name: 'run_submit', arguments: { type, params } }).catch(() => {}),
    },
    {
      name: 'A2A (JSON-RPC)',
      send: (call) =>
        post('/a2a', { jsonrpc: '2.0', id: ++count, method: 'SendMessage', params: message(call) }),
    },
    {
      name: 'A2A (HTTP+JSON)',
      send: (call) =>
        post('/a2a/http/message:send', message(call), { 'content-type': 'application/a2a+json' }),
    },
    {
      name: 'Zenoh',
      send: ({ type, params }) =>
        far.query('fleet/r1/intent', {
          payload: new TextEncoder().encode(JSON.stringify({ type, params })),
          ...{ encoding: 'application/json', timeoutMs: 10_000 },
        }),
    },
    {
      name: 'ROS action',
      send: async ({ type, params }) => {
        const goal = {
          ...{ type, params_json: JSON.stringify(params) ?? '', idempotency_key: '', priority: 5 },
          ...{ traceparent: '', deadline: { sec: 0, nanosec: 0 } },
        };
        const sent = ros.actions.send('/run_intent', 'auraison_interfaces/action/RunIntent', goal as never, {
          timeoutMs: 10_000,
        });
        // A goal that is accepted is submitted after the answer.
        await sent.then(({ result }) => result).catch(() => {});
      },
    },
    {
      name: 'order of central',
      send: ({ type, params }) =>
        orders.settle({
          ...{ robot: 'r1', order_id: newId(), kind: 'intent', posted_by: 'ada', posted_ns: '1' },
          ...{ signature: '', body: JSON.parse(JSON.stringify({ type, params })) as never },
        }),
    },
  ];
  const desk = deskOf(clock);
  return {
    borders,
    async law(call) {
      try {
        const judged = await desk.judge(desk.admit({ type: call.type, ...wanted(call) }, who('api')));
        return judged.accepted ? 'accepted' : 'refused';
      } catch (thrown) {
        if (thrown instanceof EdgeError) return 'refused';
        throw thrown;
      }
    },
    async through({ send }, call) {
      const before = runtime.accepted.length;
      await send(call);
      const taken = runtime.accepted.slice(before);
      if (taken.length > 1) throw new Error('one call opened several runs');
      const [one] = taken;
      const plain = (value: unknown) => canonicalJson(JSON.parse(JSON.stringify(value ?? {})));
      if (one && plain(one.params) !== plain(call.params))
        throw new Error(`${plain(one.params)} arrived, ${plain(call.params)} was sent`);
      return one ? 'accepted' : 'refused';
    },
    async close() {
      await client.close();
      await mcp.close();
      door.close();
      follower.close();
      await Promise.all([near.close(), far.close(), http.stop()]);
    },
  };
}

const wanted = ({ params }: IntentCall) => (params === undefined ? {} : { params });
