import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  type CallAsk,
  EdgeError,
  type EStopAnswer,
  type EStopSource,
  type ExecutionCall,
  LIMITS,
  METHODS,
  type TeleopCommand,
  toWireTime,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { rolesOf } from '../access.ts';
import { askExecution } from '../ask-execution.ts';
import { framingFault } from '../broken-stops.ts';
import { callerOf, principalOf } from '../caller.ts';
import type { Connections } from '../connections.ts';
import { endUnheard } from '../end-unheard.ts';
import type { HttpConfig, HttpPorts } from '../http-ports.ts';
import { judgedOrder } from '../judged-order.ts';
import { CancelBody, Done, errors, NoQuery } from '../schemas.ts';
import { AWAY } from '../stop-answer.ts';
import { readStopOrder, stopOrderOf } from '../stop-order.ts';

const closed = { additionalProperties: false } as const;
const LeaseId = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const Speed = (description: string) => Type.Number({ minimum: -100, maximum: 100, description });

const stopFields = {
  engaged: Type.Boolean(),
  since_ns: Type.String({ description: 'wall clock, nanoseconds; empty while it is not engaged' }),
  source: Type.String({ description: 'api, cli, console, zenoh, ros, file, agent or internal' }),
  by: Type.String(),
  reason: Type.String(),
  press: Type.Optional(
    Type.String({ description: 'names the newest press; a release that names it releases no newer one' }),
  ),
};
export const EStopView = Type.Object(stopFields, closed);
const EngagedView = Type.Object(
  {
    ...stopFields,
    warnings: Type.Optional(
      Type.Array(Type.String(), {
        description: 'what was wrong with the request, or keeps the stop from being complete',
      }),
    ),
    confirmed: Type.Optional(
      Type.Literal(false, { description: 'engaged, and it is not measured that the robot stands' }),
    ),
  },
  closed,
);
const ReleaseBody = Type.Object(
  {
    ...CancelBody.properties,
    press: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,20}$',
        description: 'that of the stop which you looked at: a newer one holds, and the answer is 409',
      }),
    ),
  },
  closed,
);
/** For the document only: any body is accepted, or none. */
const EngageBody = Type.Unknown({
  description: `{"reason": text} for the log, of which ${LIMITS.STOP_REASON_CHARS_MAX} characters are kept. Nothing in the body refuses the stop: what is wrong with it comes back as a warning`,
});

const LeaseSchema = Type.Object(
  {
    state: Type.Enum(['free', 'held', 'stopping']),
    lease_id: Type.Optional(Type.Integer()),
    holder: Type.Optional(Type.String()),
    role: Type.Optional(Type.String()),
    priority: Type.Optional(Type.Integer()),
    remaining_ms: Type.Optional(Type.Number({ description: 'until it ends unless it is renewed' })),
    takeover: Type.Optional(
      Type.Object(
        {
          holder: Type.String(),
          role: Type.String(),
          since_ns: Type.String({ description: 'wall clock, nanoseconds' }),
          end: Type.Optional(Type.Enum(['returned', 'expired', 'taken', 'stopped'])),
        },
        { ...closed, description: 'the newest lease above the rank of an agent, and how it ended' },
      ),
    ),
  },
  closed,
);

const TakeBody = Type.Object(
  {
    role: Type.Optional(
      Type.Enum(['teleoperation', 'central', 'autonomy'], { description: 'teleoperation where absent' }),
    ),
    holder: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
        description: 'which of your programs; it is put behind your own name',
      }),
    ),
    ttl_ms: Type.Optional(
      Type.Integer({ minimum: 100, maximum: 3_600_000, description: 'lease.ttl where absent' }),
    ),
  },
  closed,
);

const LeaseBody = Type.Object({ lease_id: LeaseId }, closed);
/** For the document only: any body is accepted, or none. */
const ReturnBody = Type.Unknown({
  description:
    '{"lease_id": number}; without one that can be read, the lease of the caller. No body refuses the return',
});
const isLeaseId = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1;

const TeleopBody = Type.Object(
  {
    lease_id: LeaseId,
    twist: Type.Optional(
      Type.Object(
        { linear: Speed('m/s forward'), angular: Speed('rad/s counter-clockwise') },
        { ...closed, description: 'of the base' },
      ),
    ),
    joints: Type.Optional(
      Type.Record(Type.String({ maxLength: 256 }), Speed('radians or metres'), { maxProperties: 64 }),
    ),
  },
  closed,
);

/** The caller's own note in a header: for people only, and never the source `agent` or a topic. */
const ORIGINS: ReadonlyMap<unknown, EStopSource> = new Map([
  ['cli', 'cli'],
  ['console', 'console'],
]);

/** Emergency stop, lease and teleoperation. */
export function safetyRoutes(
  app: FastifyInstance,
  ports: HttpPorts,
  config: HttpConfig,
  connections: Pick<Connections, 'linger'>,
): void {
  const { bus } = ports;
  const { execution } = METHODS;
  const ask = <N extends ExecutionCall>(method: N, body: CallAsk<N>, ms: number = LIMITS.CELL_REQUEST_MS) =>
    askExecution(bus, method, body, ms);
  const order = (request: FastifyRequest, reason = '') => {
    const source = ORIGINS.get(request.headers['x-auraison-origin']) ?? 'api';
    return { source, by: principalOf(request), reason };
  };
  /** A cell that restarts finds the file before it moves anything. */
  const engage = async (stop: ReturnType<typeof order>): Promise<EStopAnswer> => {
    try {
      return await ask(execution.estopEngage, stop);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', 'engage', 'estop');
      if (error.code === 'robot.unreachable') {
        // It is engaged, and the caller has to know that this is all that is known.
        const state = await ask(execution.estopState, {});
        if (state.engaged) return { ...state, warnings: [error.message], confirmed: false };
      }
      if (!AWAY.has(error.code) || !ports.leaveStop) throw error;
      ports.leaveStop(`${stop.by} (${stop.source}): ${stop.reason}`);
      const reason = `left as a file: ${error.message}`.slice(0, 512);
      const warnings = ['the robot was not confirmed to stand'];
      const since_ns = toWireTime(ports.clock.now());
      return { ...stop, engaged: true, since_ns, reason, warnings, confirmed: false };
    }
  };
  const schema = (operationId: string, summary: string, body: object, answer: object) => ({
    schema: { operationId, summary, tags: ['safety'], body, response: { 200: answer, ...errors } },
  });
  const reads = (operationId: string, summary: string, answer: object) => ({
    schema: {
      operationId,
      summary,
      tags: ['safety'],
      querystring: NoQuery,
      response: { 200: answer, ...errors },
    },
  });

  app.get(
    '/v1/estop',
    reads('getEmergencyStop', 'Whether the emergency stop is engaged, by whom', EStopView),
    () => askExecution(bus, execution.estopState, {}),
  );
  app.post(
    '/v1/estop',
    {
      ...schema(
        'engageEmergencyStop',
        'Engage the emergency stop: nothing moves until a person releases it; may be repeated',
        EngageBody,
        EngagedView,
      ),
      config: { undeniable: true },
      // Here, before the body is read: no body is refused, of any content and type.
      onRequest: async (request, reply) => {
        ports.runtime.stops.note();
        // A body that is not here yet is not waited for. Its reason is said when it comes.
        const before = request.raw.complete ? undefined : engage(order(request));
        before?.catch(() => {});
        const { reason, unread, warnings: read } = await readStopOrder(request.raw, ports.clock);
        const warnings = [framingFault(request.raw), ...read].filter((one) => one !== undefined);
        if (warnings.length > 0)
          ports.report('warn', 'an emergency stop came with faults', { request: request.id, warnings });
        if (unread) {
          connections.linger(request.raw);
          void reply.header('connection', 'close');
        }
        const answer = await (before && reason === '' ? before : engage(order(request, reason)));
        const all = [...warnings, ...(answer.warnings ?? [])];
        return reply.send(all.length === 0 ? answer : { ...answer, warnings: all });
      },
    },
    // It was answered above.
    async () => undefined,
  );
  app.post(
    '/v1/estop/release',
    schema(
      'releaseEmergencyStop',
      'Release the emergency stop; nothing starts to move by it',
      ReleaseBody,
      EStopView,
    ),
    (request) => {
      checkRelease(request, ports, config.releaseRole ?? 'operator');
      const { reason, press } = request.body as Static<typeof ReleaseBody>;
      const body = { ...order(request, reason), ...(press === undefined ? {} : { press }) };
      return ask(execution.estopRelease, body);
    },
  );
  app.get('/v1/lease', reads('getLease', 'Who may command actuators now', LeaseSchema), () =>
    askExecution(bus, execution.leaseState, {}),
  );
  app.post(
    '/v1/lease',
    schema(
      'takeLease',
      'Take the right to command actuators; who has it with a lower priority loses it, and the robot stops first',
      TakeBody,
      LeaseSchema,
    ),
    async (request, reply) => {
      const { role = 'teleoperation', holder, ttl_ms } = request.body as Static<typeof TakeBody>;
      const who = callerOf(request);
      const { principal } = who;
      const facts = { motion: 'teleoperate', frame: 'base_link', role };
      const body = {
        role,
        holder: holder === undefined ? principal : `${principal}/${holder}`,
        ...(ttl_ms === undefined ? {} : { ttlMs: ttl_ms }),
      };
      return judgedOrder(
        reply,
        { operation: 'take the lease', subject: role, stops: ports.runtime.stops },
        async () => ports.judgeAction?.({ tool: 'robot.teleoperate', facts }, who),
        (wantedAtMs) => askExecution(bus, execution.leaseTake, body, LIMITS.CELL_REQUEST_MS, wantedAtMs),
        { after: ({ lease_id }) => endUnheard(ports, execution.leaseReturn, { leaseId: lease_id }) },
      );
    },
  );
  app.post(
    '/v1/lease/renew',
    schema('renewLease', 'It lives for its time again from now', LeaseBody, LeaseSchema),
    (request) => {
      const { lease_id } = request.body as Static<typeof LeaseBody>;
      return ask(execution.leaseRenew, { leaseId: lease_id, by: callerOf(request).principal });
    },
  );
  app.post(
    '/v1/lease/return',
    {
      ...schema('returnLease', 'Give it back; the robot stops first', ReturnBody, LeaseSchema),
      config: { stops: true },
    },
    async (request) => {
      const { lease_id } = stopOrderOf(request).fields;
      // Without a readable id it is the lease of now; another's is not the caller's to return.
      const leaseId = isLeaseId(lease_id) ? lease_id : (await ask(execution.leaseState, {})).lease_id;
      if (leaseId === undefined) return ask(execution.leaseState, {});
      return ask(execution.leaseReturn, { leaseId, by: callerOf(request).principal });
    },
  );
  app.post(
    '/v1/teleop',
    schema(
      'teleoperate',
      `Steer by hand under a lease: counts for ${LIMITS.COMMAND_EXPIRY_MS} ms, through the gates`,
      TeleopBody,
      Done,
    ),
    async (request) => {
      const { lease_id, ...rest } = request.body as Static<typeof TeleopBody>;
      const body: TeleopCommand = { leaseId: lease_id, by: callerOf(request).principal, ...rest };
      await ask(execution.teleopCommand, body, LIMITS.COMMAND_EXPIRY_MS);
      return { ok: true };
    },
  );
}

/** Only the owning tenant may do this, with the required role. */
function checkRelease(request: FastifyRequest, ports: HttpPorts, role: string): void {
  const who = callerOf(request);
  if (who.tenant === 'local' && rolesOf(who, ports).includes(role)) return;
  throw new EdgeError('policy.denied', {
    operation: 'release the emergency stop',
    subject: who.principal,
    message: `only the role ${role} releases the emergency stop`,
    hint: 'estop.release_role; auraison estop release on the robot itself',
  });
}
