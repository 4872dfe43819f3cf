import type { FastifyInstance } from 'fastify';
import { type ControllerOrder, type ControllerView, LIMITS, METHODS } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import { endUnheard, UNHEARD } from '../end-unheard.ts';
import type { HttpPorts } from '../http-ports.ts';
import { judgedOrder } from '../judged-order.ts';
import { errors, NoQuery } from '../schemas.ts';
import { unconfirmed } from '../stop-answer.ts';
import { StopBody, stopOrderOf } from '../stop-order.ts';

const closed = { additionalProperties: false } as const;
/** Time to take the lease from its holder and to bring the robot to rest, milliseconds. */
const START_MS = 15_000;

const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Milliseconds = (description: string) => Type.Optional(Type.Number({ description }));

const View = Type.Object(
  {
    name: Type.String(),
    policy: Type.String({ description: 'of [[policies]]; empty: the default one' }),
    policy_hash: Type.String(),
    hz: Type.Number(),
    state: Type.Enum(['idle', 'running', 'starved', 'stopped', 'failed']),
    reason: Type.String(),
    steps: Count('control steps of the last run'),
    starved: Count('of them without an action'),
    clamped: Count('of them not as asked, but within the limits'),
    refused: Count('of them refused, or not sent'),
    stale: Type.Record(
      Type.String(),
      Type.Union([Type.Number(), Type.Null()], { description: 'milliseconds; null: nothing came yet' }),
      { description: 'inputs that are too old now' },
    ),
    chunks: Count('chunks of actions taken'),
    turned_down: Type.Record(Type.String(), Count('of them'), {
      description: 'chunks that were not taken, by why: late, early, misshapen, not_finite, far_outside',
    }),
    inference_p50_ms: Milliseconds('from an observation to its chunk'),
    inference_p99_ms: Milliseconds('the same, 99th percentile'),
    late_p99_ms: Milliseconds('lateness of steps'),
    late_max_ms: Milliseconds('the greatest of the run'),
    late_net_p99_ms: Milliseconds('without the time that the thread waited for a processor'),
    late_recent_ms: Milliseconds('the greatest of about the last second'),
    scheduling: Type.Enum(['fifo', 'other', 'unknown']),
  },
  { title: 'Controller' },
);
const StopView = Type.Object({
  ...View.properties,
  confirmed: Type.Optional(
    Type.Literal(false, { description: 'stopped, and it is not measured that the robot stands' }),
  ),
  warnings: Type.Optional(Type.Array(Type.String())),
});
const Params = Type.Object({ name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }) }, closed);
const StartBody = Type.Object(
  {
    task: Type.Optional(
      Type.String({ maxLength: 4_096, description: 'in words, for policies that take it' }),
    ),
    seconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 86_400, description: 'at most' })),
    plan_step: Type.Optional(Type.String({ maxLength: 128, description: 'step of a plan, for the record' })),
  },
  closed,
);

/**
 * System 1: the controllers of this robot. The caller that starts one has the lease as long as it runs; any stop ends
 * it.
 */
export function controllerRoutes(app: FastifyInstance, ports: HttpPorts): void {
  const { bus, judgeAction } = ports;
  const { execution } = METHODS;
  const describe = (operationId: string, summary: string, more: object) => ({
    schema: { operationId, summary, tags: ['controllers'], ...more },
  });

  app.get(
    '/v1/controllers',
    describe('listControllers', 'Controllers, what they do and how late they are', {
      querystring: NoQuery,
      response: { 200: Type.Object({ controllers: Type.Array(View) }), ...errors },
    }),
    async () => {
      const controllers = await bus.request('execution', execution.controllerList, {});
      return { controllers: controllers.map(shown) };
    },
  );

  app.post(
    '/v1/controllers/:name/start',
    describe('startController', 'Let a policy move the robot; answered when it has the lease', {
      params: Params,
      body: StartBody,
      response: { 200: View, ...errors },
    }),
    async (request, reply) => {
      const { name } = request.params as Static<typeof Params>;
      const order: ControllerOrder = { controller: name, ...(request.body as Static<typeof StartBody>) };
      const facts = { motion: 'controller', ...order };
      const view = await judgedOrder(
        reply,
        { operation: 'start a controller', subject: name, stops: ports.runtime.stops },
        async () => judgeAction?.({ tool: 'controller.run', facts }, callerOf(request)),
        (wantedAtMs) => bus.request('execution', execution.controllerStart, order, START_MS, wantedAtMs),
        {
          after: () =>
            endUnheard(ports, execution.controllerStop, {
              ...{ controller: name, reason: UNHEARD, by: callerOf(request).principal },
            }),
        },
      );
      return shown(view);
    },
  );

  app.post(
    '/v1/controllers/:name/stop',
    {
      ...describe('stopController', 'Stop a controller now; may be repeated', {
        params: Params,
        body: StopBody,
        response: { 200: StopView, ...errors },
      }),
      config: { stops: true },
    },
    async (request) => {
      const { name: controller } = request.params as Static<typeof Params>;
      const { reason } = stopOrderOf(request);
      const order = { controller, reason, by: callerOf(request).principal };
      try {
        const [view] = await bus.request(
          'execution',
          execution.controllerStop,
          order,
          LIMITS.CELL_REQUEST_MS,
        );
        return shown(view!);
      } catch (thrown) {
        const more = unconfirmed(thrown);
        const all = await bus.request('execution', execution.controllerList, {});
        const view = all.find((one) => one.name === controller);
        if (!view) throw thrown;
        return { ...shown(view), ...more };
      }
    },
  );
}

/** JSON has no infinity; unknown values are left out. */
function shown({ stale, ...view }: ControllerView): Static<typeof View> {
  const ages = Object.entries(stale).map(([name, age]) => [name, Number.isFinite(age) ? age : null]);
  const known = Object.entries(view).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(known), stale: Object.fromEntries(ages) } as Static<typeof View>;
}
