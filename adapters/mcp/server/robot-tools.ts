import {
  EdgeError,
  isFinished,
  LIMITS,
  METHODS,
  pause,
  type RunDetails,
  type Tool,
  type ToolAnswer,
  toWireTime,
  withDeadline,
} from '../../../contract/index.ts';
import { type Static, type TSchema, Type } from '../../../contract/schema-kit.ts';
import { BAGS_SQL, lakeRows } from './lake-rows.ts';
import type { McpCall, RobotMcpPorts } from './server-ports.ts';

/** A tool that MCP clients see. `run` is called with checked arguments, after the policies. */
export type RobotTool = {
  readonly name: string;
  /** As policies name it. */
  readonly subject: string;
  readonly title: string;
  readonly description: string;
  readonly input: TSchema;
  readonly readOnly: boolean;
  readonly destructive: boolean;
  /** False: policies are asked elsewhere (intents) or never (a stop). */
  readonly judged: boolean;
  /** Arguments are checked, and refused, by the daemon that the call goes to. */
  readonly checkedElsewhere?: true;
  readonly deadlineMs: number;
  run(args: Readonly<Record<string, unknown>>, call: McpCall): Promise<ToolAnswer>;
};

const closed = { additionalProperties: false } as const;
const RunId = Type.String({
  format: 'uuid',
  maxLength: 36,
  description: 'run_id as run_submit and run_list give it',
});
const WAIT_S_MAX = LIMITS.MCP_WAIT_MS_MAX / 1_000;
const ORDER_MS = LIMITS.CELL_REQUEST_MS + 500;
/** How often a run that is waited for is looked at, milliseconds. */
const LOOK_MS = 200;
/** Tools offered as they are to agents. */
const HOUSE = new Set(['robot.look', 'robot.scan', 'robot.map', 'arm.state', 'lake.query', 'memory.recall']);
/** Characters of a stop's reason that are kept. */
const STOP_REASON_CHARS = 256;
const BAG = '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$';

type Parts<S extends TSchema> = Omit<RobotTool, 'input' | 'run' | 'judged' | 'destructive' | 'deadlineMs'> &
  Partial<Pick<RobotTool, 'judged' | 'destructive' | 'deadlineMs'>> & {
    readonly input: S;
    run(args: Static<S>, call: McpCall): Promise<Readonly<Record<string, unknown>>>;
  };

function tool<S extends TSchema>({ run, ...parts }: Parts<S>): RobotTool {
  return {
    judged: true,
    destructive: false,
    deadlineMs: ORDER_MS,
    ...parts,
    run: async (args, call) => ({ result: await run(args as Static<S>, call) }),
  };
}

/** Every tool of this robot, for one session. */
export function robotTools(ports: RobotMcpPorts): readonly RobotTool[] {
  const house = ports.houseTools().filter(({ spec }) => HOUSE.has(spec.name));
  return [
    ...runTools(ports),
    ...orders(ports),
    ...recordings(ports),
    ...house.map((one) => houseTool(one, ports)),
  ];
}

function runTools({ runtime, clock, who, approvals }: RobotMcpPorts): RobotTool[] {
  return [
    tool({
      name: 'run_submit',
      subject: 'run.submit',
      title: 'Ask the robot for something',
      description:
        'Opens a run for an intent, for example maze/find_exit. The robot may move. Policies and approvals apply. ' +
        'With wait_s it answers when the run is over or the time is; a run that is still active is no error.',
      input: Type.Object(
        {
          type: Type.String({ maxLength: 128, description: 'type of the intent' }),
          params: Type.Optional(
            Type.Object({}, { additionalProperties: true, description: 'as that type wants them' }),
          ),
          priority: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 9, description: '9 is most urgent, 5 normal' }),
          ),
          idempotency_key: Type.Optional(
            Type.String({ maxLength: 128, description: 'the same key twice opens one run' }),
          ),
          wait_s: Type.Optional(
            Type.Number({ minimum: 0, maximum: WAIT_S_MAX, description: 'wait so long, seconds' }),
          ),
        },
        closed,
      ),
      readOnly: false,
      destructive: true,
      judged: false,
      deadlineMs: LIMITS.MCP_WAIT_MS_MAX + ORDER_MS,
      run: async ({ wait_s = 0, ...request }, call) => {
        const { traceparent } = call;
        const asked = { ...request, ...(traceparent === undefined ? {} : { traceparent }) };
        const { run, duplicate } = await runtime.submit(asked, who);
        await waitFor(run.run_id, wait_s, call);
        return { duplicate, ...shown(runtime.run(run.run_id)) };
      },
    }),
    tool({
      name: 'run_status',
      subject: 'run.status',
      title: 'How a run stands',
      description:
        'Status, phase and outcome of one run; with wait_s it answers when the run is over or the time is.',
      input: Type.Object(
        {
          run_id: RunId,
          wait_s: Type.Optional(
            Type.Number({ minimum: 0, maximum: WAIT_S_MAX, description: 'wait so long, seconds' }),
          ),
        },
        closed,
      ),
      readOnly: true,
      deadlineMs: LIMITS.MCP_WAIT_MS_MAX + ORDER_MS,
      run: async ({ run_id, wait_s = 0 }, call) => {
        runtime.run(run_id);
        await waitFor(run_id, wait_s, { ...call, cancelled: () => false });
        return shown(runtime.run(run_id));
      },
    }),
    tool({
      name: 'run_list',
      subject: 'run.list',
      title: 'Runs',
      description: 'Runs of this robot, newest first.',
      input: Type.Object(
        { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: '20 where absent' })) },
        closed,
      ),
      readOnly: true,
      run: async ({ limit = 20 }) => ({
        runs: runtime.runs({ limit }).map(shown),
        apps: runtime.status().apps,
      }),
    }),
    tool({
      name: 'run_cancel',
      subject: 'run.cancel',
      title: 'Cancel a run',
      description: 'Stops the robot, then ends the run. A finished run stays as it is.',
      input: Type.Object(
        {
          run_id: RunId,
          reason: Type.Optional(Type.Unknown({ description: 'why, for the log; at most 256 characters' })),
        },
        { additionalProperties: true },
      ),
      readOnly: false,
      // A stop: no policy denies it, and only the id has to be right.
      judged: false,
      run: async ({ run_id, reason }) => {
        const { tenant } = runtime.run(run_id).intent.policy_ctx;
        if (who.tenant !== 'local' && who.tenant !== tenant)
          throw new EdgeError('run.not_found', { operation: 'find run', subject: run_id });
        await runtime.cancel(run_id, stopReason(reason), who.principal);
        return shown(runtime.run(run_id));
      },
    }),
    tool({
      name: 'approvals_list',
      subject: 'approvals.list',
      title: 'What waits for a person',
      description:
        'Questions that a person has to answer before a run continues. They are answered elsewhere, not here.',
      input: Type.Object({}, closed),
      readOnly: true,
      run: async () => ({
        approvals: (approvals?.approvals() ?? []).slice(0, 50).map((one) => ({ ...one })),
      }),
    }),
  ];

  /**
   * Settles when the run ends, the time is over, or the client stops waiting; a cancel of the client cancels the run.
   */
  async function waitFor(runId: string, seconds: number, call: McpCall): Promise<void> {
    const end = clock.monotonicMs() + seconds * 1_000;
    let told = '';
    while (clock.monotonicMs() < end && !isFinished(runtime.run(runId).run.status)) {
      const { run, phase, reason } = runtime.run(runId);
      const now = `${run.status}${phase === undefined ? '' : `, ${phase}`}${reason === '' ? '' : `: ${reason}`}`;
      if (now !== told) call.progress(now);
      told = now;
      await pause(clock, LOOK_MS, call.signal);
      if (!call.signal.aborted) continue;
      if (call.cancelled()) await runtime.cancel(runId, 'the MCP client cancelled its call', who.principal);
      return;
    }
  }
}

function orders({ bus, clock, stopRobot }: RobotMcpPorts): RobotTool[] {
  return [
    tool({
      name: 'robot_stop',
      subject: 'robot.stop',
      title: 'Stop the robot',
      description: 'Stops the robot now and cancels every run. May be repeated.',
      // A stop is never refused because of its arguments: invalid ones are left out.
      input: Type.Object(
        { reason: Type.Optional(Type.Unknown({ description: 'why, for the log; at most 256 characters' })) },
        { additionalProperties: true },
      ),
      readOnly: false,
      judged: false,
      deadlineMs: 2 * ORDER_MS,
      run: async ({ reason }) => {
        await stopRobot(stopReason(reason));
        return { stopped: true };
      },
    }),
    tool({
      name: 'robot_state',
      subject: 'robot.state',
      title: 'Robot state',
      description:
        'Pose of base_link in map (metres, radians), speed (m/s, rad/s), battery (0 to 1), distance driven (metres), ' +
        'and whether it moves.',
      input: Type.Object({}, closed),
      readOnly: true,
      run: async () => {
        const asked = bus.request('execution', METHODS.execution.robotState, {});
        const { time, ...state } = await withDeadline(clock, ORDER_MS, asked, 'robot.state', 'execution');
        return { time_ns: toWireTime(time), ...state };
      },
    }),
  ];
}

/** A stop is never refused because of its reason: what cannot be logged is left out. */
function stopReason(reason: unknown): string {
  const words = typeof reason === 'string' ? reason.slice(0, STOP_REASON_CHARS) : '';
  return words.toWellFormed() || 'asked for by an MCP client';
}

function recordings(ports: RobotMcpPorts): RobotTool[] {
  const { bus, clock } = ports;
  const rows = (sql: string) => lakeRows(ports, sql);
  return [
    tool({
      name: 'bags_list',
      subject: 'bags.list',
      title: 'Recordings',
      description: 'Recordings (bags) of this robot, newest first: time span, size, messages, segments.',
      input: Type.Object({}, closed),
      readOnly: true,
      deadlineMs: 2 * ORDER_MS,
      run: async () => ({
        bags: await rows(BAGS_SQL),
      }),
    }),
    tool({
      name: 'bag_info',
      subject: 'bags.info',
      title: 'One recording',
      description: 'The sealed segments of one recording: files, hashes, time span, messages by topic.',
      input: Type.Object(
        { bag: Type.String({ pattern: BAG, maxLength: 128, description: 'its name' }) },
        closed,
      ),
      readOnly: true,
      deadlineMs: 2 * ORDER_MS,
      run: async ({ bag }) => {
        // The name holds no quote: its pattern was checked.
        const segments = await rows(
          'SELECT path, sha256, bytes, messages, start_time::VARCHAR AS start_time, end_time::VARCHAR AS end_time, ' +
            `topics, repaired FROM segments WHERE bag = '${bag}' ORDER BY ts LIMIT 200`,
        );
        if (segments.length > 0) return { bag, segments };
        const message = `no sealed segment of ${bag} is known`;
        throw new EdgeError('tool.failed', {
          operation: 'bag_info',
          subject: bag,
          message,
          retryable: false,
        });
      },
    }),
    tool({
      name: 'clip_record',
      subject: 'recorder.clip',
      title: 'Record a clip',
      description:
        'Keeps what happened around now as a recording of its own; it is sure to come once this answers.',
      input: Type.Object(
        {
          reason: Type.Optional(Type.String({ maxLength: 256, description: 'why, for the log' })),
          before_s: Type.Optional(
            Type.Number({ minimum: 0, maximum: 600, description: 'before now, seconds' }),
          ),
          after_s: Type.Optional(
            Type.Number({ minimum: 0, maximum: 600, description: 'after now, seconds' }),
          ),
        },
        closed,
      ),
      readOnly: false,
      run: async ({ reason = 'asked for by an MCP client', before_s, after_s }) => {
        const body = {
          trigger: 'mcp',
          reason,
          ...(before_s === undefined ? {} : { preMs: before_s * 1_000 }),
          ...(after_s === undefined ? {} : { postMs: after_s * 1_000 }),
        };
        const asked = bus.request('execution', METHODS.execution.clipRecord, body);
        return { ...(await withDeadline(clock, ORDER_MS, asked, 'recorder.clip', 'execution')) };
      },
    }),
  ];
}

/** A built-in reading tool, called without a run. */
function houseTool({ spec, run, deadlineMs }: Tool, ports: RobotMcpPorts): RobotTool {
  const { clock, ids, who } = ports;
  return {
    name: spec.name.replaceAll('.', '_'),
    subject: spec.name,
    title: spec.name,
    description: spec.description,
    input: spec.input,
    readOnly: spec.effect === 'read',
    destructive: false,
    judged: true,
    deadlineMs: deadlineMs ? LIMITS.MCP_WAIT_MS_MAX : spec.deadlineMs,
    run: async (args, { signal }) => {
      const callId = ids.next<string>();
      const intent = {
        intent_id: callId,
        type: 'mcp/call',
        params: {},
        policy_ctx: who,
        targets: [],
        priority: 5,
      };
      const scope = { runId: callId, callId, intent, clock, signal } as Parameters<Tool['run']>[1];
      return await ports.wholeAnswer(await run(args, scope), spec.name);
    },
  };
}

function shown({
  run,
  intent,
  app,
  phase,
  reason,
  summary,
  error,
  queued_ts,
  finished_ts,
}: RunDetails): Record<string, unknown> {
  return {
    run_id: run.run_id,
    status: run.status,
    type: intent.type,
    app,
    phase: phase ?? null,
    reason,
    ...(run.score === undefined ? {} : { score: run.score }),
    ...(summary === undefined ? {} : { summary }),
    ...(error === undefined ? {} : { error }),
    queued_ts,
    ...(finished_ts === undefined ? {} : { finished_ts }),
  };
}
