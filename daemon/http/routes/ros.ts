import type { FastifyInstance } from 'fastify';
import {
  type CallAsk,
  type ExecutionCall,
  METHODS,
  type MessageValue,
  type ParameterValue,
  type RosGoalView,
  type RosParamsRequest,
  rosGoalMotion,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { checkRosValue } from '../../../formats/ros2/value-check.ts';
import { askExecution } from '../ask-execution.ts';
import { callerOf } from '../caller.ts';
import { endUnheard } from '../end-unheard.ts';
import type { HttpPorts } from '../http-ports.ts';
import { judgedOrder } from '../judged-order.ts';
import { errors, NoQuery } from '../schemas.ts';
import { StopBody, stopOrderOf } from '../stop-order.ts';

const closed = { additionalProperties: false } as const;
const open = { additionalProperties: true } as const;
const Name = Type.String({ pattern: '^/[A-Za-z0-9_/]{1,250}$', description: 'full name with its namespace' });
const typeOf = (kind: string) =>
  Type.String({
    pattern: `^[A-Za-z]\\w{0,100}/${kind}/[A-Za-z]\\w{0,100}$`,
    description: `package/${kind}/Type`,
  });
/** The longest that a caller may make this daemon wait for a node, milliseconds. */
const TIMEOUT_MS_MAX = 60_000;
const TIMEOUT_MS = 5_000;
const Timeout = Type.Optional(
  Type.Integer({ minimum: 1, maximum: TIMEOUT_MS_MAX, description: `default ${TIMEOUT_MS}` }),
);
const Message = Type.Object({}, { ...open, description: 'fields by name; 64-bit integers also as text' });

const CallBody = Type.Object(
  { service: Name, type: typeOf('srv'), request: Type.Optional(Message), timeout_ms: Timeout },
  closed,
);
const GoalBody = Type.Object(
  { action: Name, type: typeOf('action'), goal: Type.Optional(Message), timeout_ms: Timeout },
  closed,
);
const GoalParams = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{32}$' }) }, closed);
const GoalQuery = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1_000_000_000,
        description: 'only feedback after this number',
      }),
    ),
  },
  closed,
);
const KINDS = [
  'bool',
  'integer',
  'double',
  'string',
  'bytes',
  'bools',
  'integers',
  'doubles',
  'strings',
] as const;
const ParamName = Type.String({ pattern: '^[A-Za-z0-9_./-]{1,256}$', description: 'name of a parameter' });
const ParamsQuery = Type.Object(
  {
    node: Name,
    /** As many as fit into the head of a request. */
    name: Type.Optional(Type.Array(ParamName, { maxItems: 32 })),
    timeout_ms: Timeout,
  },
  closed,
);
const OneValue = [Type.Boolean(), Type.Number(), Type.String()];
const ParameterBody = Type.Union([...OneValue, Type.Array(Type.Union(OneValue))]);
const SetParamsBody = Type.Object(
  {
    node: Name,
    values: Type.Record(
      Type.String({ minLength: 1, maxLength: 256 }),
      Type.Object({ kind: Type.Enum([...KINDS]), value: ParameterBody }, closed),
    ),
    timeout_ms: Timeout,
  },
  closed,
);
const NodeQuery = Type.Object({ node: Name, timeout_ms: Timeout }, closed);
const LifecycleBody = Type.Object(
  {
    node: Name,
    transition: Type.Enum(['configure', 'cleanup', 'activate', 'deactivate', 'shutdown']),
    timeout_ms: Timeout,
  },
  closed,
);
const Frame = Type.Optional(Type.String({ minLength: 1, maxLength: 256 }));
const TfQuery = Type.Object({ target: Frame, source: Frame }, closed);
const Anything = Type.Object({}, open);
const GoalBox = Type.Object(
  {
    goal_id: Type.String(),
    action: Type.String(),
    type: Type.String(),
    state: Type.Enum(['running', 'succeeded', 'canceled', 'aborted', 'rejected', 'lost']),
    reason: Type.String(),
    feedback_seq: Type.Integer(),
    feedback: Type.Array(Type.Object({ seq: Type.Integer(), value: Message }, closed)),
    result: Type.Optional(Message),
  },
  closed,
);

/** The ROS graph of the robot. Each endpoint is one request to the execution cell, behind the same gate. */
export function rosRoutes(app: FastifyInstance, ports: HttpPorts): void {
  const { bus, judgeAction } = ports;
  const ask = <N extends ExecutionCall>(
    method: N,
    body: CallAsk<N>,
    timeoutMs = TIMEOUT_MS,
    wantedAtMs?: number,
  ) =>
    // The node's deadline comes first, so that its better message arrives.
    askExecution(bus, method, body, timeoutMs + 2_000, wantedAtMs);
  const methods = METHODS.execution;
  const describe = (operationId: string, summary: string) => ({ operationId, summary, tags: ['ros'] });

  app.get(
    '/v1/ros/graph',
    {
      schema: {
        ...describe('getRosGraph', 'Nodes, topics with their endpoints, services, actions, QoS events'),
        querystring: NoQuery,
        response: { 200: Anything, ...errors },
      },
    },
    async () => {
      const { qosEvents, ...graph } = await ask(methods.rosGraph, {});
      return { ...graph, qos_events: qosEvents };
    },
  );

  app.post(
    '/v1/ros/services/call',
    {
      schema: {
        ...describe('callRosService', 'Call a service of the robot and wait for its answer'),
        body: CallBody,
        response: { 200: Type.Object({ response: Message }, closed), ...errors },
      },
    },
    async (request, reply) => {
      const {
        service,
        type,
        request: value = {},
        timeout_ms = TIMEOUT_MS,
      } = request.body as Static<typeof CallBody>;
      // Before it travels: a value that is nested too deep breaks the process that carries it.
      checkRosValue(value, '/request');
      const order = { service, type, request: value as MessageValue, timeoutMs: timeout_ms };
      return await judgedOrder(
        reply,
        { operation: 'call a service', subject: service, stops: ports.runtime.stops },
        async () => judgeAction?.({ tool: 'ros.call', facts: { service, type } }, callerOf(request)),
        async (wantedAtMs) => ({ response: await ask(methods.rosCall, order, timeout_ms, wantedAtMs) }),
      );
    },
  );

  app.post(
    '/v1/ros/actions/goals',
    {
      schema: {
        ...describe('sendRosGoal', 'Send a goal to an action server; a stop of the robot cancels it'),
        body: GoalBody,
        response: { 201: GoalBox, ...errors },
      },
    },
    async (request, reply) => {
      const { action, type, goal = {}, timeout_ms = TIMEOUT_MS } = request.body as Static<typeof GoalBody>;
      checkRosValue(goal, '/goal');
      const { tool, facts: known } = rosGoalMotion(type, goal as Record<string, unknown>);
      const facts = { ...known, action, type };
      const asked = { tool: 'ros.goal', facts, ...(tool ? { motion: { tool, facts: known } } : {}) } as const;
      const by = callerOf(request).principal;
      const order = { action, type, goal: goal as MessageValue, timeoutMs: timeout_ms, by };
      const view = await judgedOrder(
        reply,
        { operation: 'send a goal', subject: action, stops: ports.runtime.stops },
        async () => judgeAction?.(asked, callerOf(request)),
        (wantedAtMs) => ask(methods.rosGoalSend, order, timeout_ms, wantedAtMs),
        {
          after: ({ goalId }) =>
            endUnheard(ports, methods.rosGoalCancel, {
              ...{ goalId, timeoutMs: TIMEOUT_MS, by: callerOf(request).principal },
            }),
        },
      );
      return reply.code(201).send(goalBox(view));
    },
  );

  app.get(
    '/v1/ros/actions/goals/:id',
    {
      schema: {
        ...describe('getRosGoal', 'Progress of a goal: state, feedback since a number, result'),
        params: GoalParams,
        querystring: GoalQuery,
        response: { 200: GoalBox, ...errors },
      },
    },
    async (request) => {
      const { id } = request.params as Static<typeof GoalParams>;
      const { after = 0 } = request.query as Static<typeof GoalQuery>;
      return goalBox(await ask(methods.rosGoalView, { goalId: id, after }));
    },
  );

  app.post(
    '/v1/ros/actions/goals/:id/cancel',
    {
      schema: {
        ...describe('cancelRosGoal', 'Ask the action server to cancel a goal'),
        params: GoalParams,
        body: StopBody,
        response: { 200: Type.Object({ cancelled: Type.Boolean() }, closed), ...errors },
      },
      config: { stops: true },
    },
    async (request) => {
      const { id } = request.params as Static<typeof GoalParams>;
      const { timeout_ms: asked } = stopOrderOf(request).fields;
      const timeoutMs = Number.isInteger(asked)
        ? Math.min(Math.max(Number(asked), 1), TIMEOUT_MS_MAX)
        : TIMEOUT_MS;
      const by = callerOf(request).principal;
      return ask(methods.rosGoalCancel, { goalId: id, timeoutMs, by }, timeoutMs);
    },
  );

  app.get(
    '/v1/ros/params',
    {
      schema: {
        ...describe('getRosParams', 'Parameters of a node: their names, or the values of some'),
        querystring: ParamsQuery,
        response: { 200: Anything, ...errors },
      },
    },
    async (request) => {
      const { node, name, timeout_ms = TIMEOUT_MS } = request.query as Static<typeof ParamsQuery>;
      const order: RosParamsRequest = { node, timeoutMs: timeout_ms, ...(name ? { names: name } : {}) };
      return ask(methods.rosParams, order, timeout_ms);
    },
  );

  app.post(
    '/v1/ros/params',
    {
      schema: {
        ...describe('setRosParams', 'Set parameters of a node; what it refused, with its reasons'),
        body: SetParamsBody,
        response: {
          200: Type.Object({ refused: Type.Record(Type.String(), Type.String()) }, closed),
          ...errors,
        },
      },
    },
    async (request, reply) => {
      const { node, values, timeout_ms = TIMEOUT_MS } = request.body as Static<typeof SetParamsBody>;
      checkRosValue(values, '/values');
      const set = values as unknown as Record<string, ParameterValue>;
      return await judgedOrder(
        reply,
        { operation: 'set parameters', subject: node, stops: ports.runtime.stops },
        async () =>
          judgeAction?.(
            { tool: 'ros.params', facts: { node, names: Object.keys(values) } },
            callerOf(request),
          ),
        (wantedAtMs) => ask(methods.rosParams, { node, set, timeoutMs: timeout_ms }, timeout_ms, wantedAtMs),
      );
    },
  );

  const StateBox = Type.Object({ state: Type.String() }, closed);
  app.get(
    '/v1/ros/lifecycle',
    {
      schema: {
        ...describe('getRosLifecycle', 'State of a managed node'),
        querystring: NodeQuery,
        response: { 200: StateBox, ...errors },
      },
    },
    async (request) => {
      const { node, timeout_ms = TIMEOUT_MS } = request.query as Static<typeof NodeQuery>;
      return ask(methods.rosLifecycle, { node, timeoutMs: timeout_ms }, timeout_ms);
    },
  );

  app.post(
    '/v1/ros/lifecycle',
    {
      schema: {
        ...describe('changeRosLifecycle', 'Lead a managed node through a transition; the state it reached'),
        body: LifecycleBody,
        response: { 200: StateBox, ...errors },
      },
    },
    async (request, reply) => {
      const { node, transition, timeout_ms = TIMEOUT_MS } = request.body as Static<typeof LifecycleBody>;
      return await judgedOrder(
        reply,
        { operation: 'change a managed node', subject: node, stops: ports.runtime.stops },
        async () => judgeAction?.({ tool: 'ros.lifecycle', facts: { node, transition } }, callerOf(request)),
        (wantedAtMs) =>
          ask(methods.rosLifecycle, { node, transition, timeoutMs: timeout_ms }, timeout_ms * 2, wantedAtMs),
      );
    },
  );

  app.get(
    '/v1/ros/tf',
    {
      schema: {
        ...describe('getRosTf', 'The tree of frames, or the newest transform of source into target'),
        querystring: TfQuery,
        response: { 200: Anything, ...errors },
      },
    },
    async (request) => ask(methods.rosTf, request.query as Static<typeof TfQuery>),
  );
}

function goalBox({ goalId, feedbackSeq, ...rest }: RosGoalView): object {
  return { goal_id: goalId, feedback_seq: feedbackSeq, ...rest };
}
