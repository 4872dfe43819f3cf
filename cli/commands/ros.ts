import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { EdgeError, type GraphSnapshot, type RosQosReport } from '../../contract/core.ts';
import { qosText } from '../../formats/ros2/qos.ts';
import { action, type CommandContext } from '../context.ts';
import { table } from '../output.ts';

type Graph = GraphSnapshot & { readonly qos_events: readonly RosQosReport[] };
type Goal = {
  readonly goal_id: string;
  readonly state: string;
  readonly reason: string;
  readonly feedback_seq: number;
  readonly feedback: readonly { readonly seq: number; readonly value: unknown }[];
  readonly result?: unknown;
};
type Timed = { readonly timeout: string };
const POLL_MS = 200;

export function addRosCommands(program: Command): void {
  const ros = program
    .command('ros')
    .description('the ROS 2 graph of the robot: topics, services, actions, parameters, lifecycle, frames')
    .addHelpText(
      'after',
      `
Examples:
  auraison ros topics --all
  auraison ros call /reset std_srvs/srv/Trigger
  auraison ros call /add example_interfaces/srv/AddTwoInts '{"a": 1, "b": 2}'
  auraison ros send-goal /navigate_to_pose nav2_msgs/action/NavigateToPose '{"pose": {"header": {"frame_id": "map"}, "pose": {"position": {"x": 1.0}}}}' --feedback
  auraison ros param set /controller_server max_speed 0.4
  auraison ros lifecycle set /map_server activate
  auraison ros tf map base_link`,
    );
  addLists(ros);
  addCalls(ros);
  addParams(ros);
  addLifecycle(ros);
  ros
    .command('tf [target] [source]')
    .description('the tree of frames, or the newest transform that puts points of source into target')
    .addHelpText('after', '\nExamples:\n  auraison ros tf\n  auraison ros tf map base_scan --json')
    .action(
      action(async ({ api, out }, target: string | undefined, source: string | undefined) => {
        if (target !== undefined && source === undefined)
          throw wrong('tf', 'source', 'name both frames, or none');
        const query = target === undefined ? '' : `?${new URLSearchParams({ target, source: source! })}`;
        const found = await api.get<{ frames?: Frame[]; transform?: unknown }>(`/v1/ros/tf${query}`);
        out.result(found, () =>
          found.frames ? tree(found.frames) : JSON.stringify(found.transform, null, 2),
        );
        return 0;
      }),
    );
}

type Frame = { readonly frame: string; readonly parent: string; readonly fixed: boolean };

/** Roots first, children below their parents. */
function tree(frames: readonly Frame[]): string {
  if (frames.length === 0) return 'no transform on /tf or /tf_static yet';
  const children = Map.groupBy(frames, ({ parent }) => parent);
  const known = new Set(frames.map(({ frame }) => frame));
  const lines: string[] = [];
  const walk = (frame: string, indent: string, fixed: boolean) => {
    lines.push(`${indent}${frame}${fixed ? '  (static)' : ''}`);
    for (const child of children.get(frame) ?? []) walk(child.frame, `${indent}  `, child.fixed);
  };
  for (const root of [...children.keys()].filter((parent) => !known.has(parent)).sort())
    walk(root, '', false);
  return lines.join('\n');
}

/** `auraison services`: services under the name of their own; the same as `auraison ros services` and `ros call`. */
export function addServicesCommands(program: Command): void {
  const services = program.command('services').description('ROS services of the robot: list, call');
  addNames(services, 'list', 'services');
  addCall(services, 'services');
}

const graph = ({ api }: CommandContext) => api.get<Graph>('/v1/ros/graph');
const hidden = (name: string) => name.split('/').some((part) => part.startsWith('_'));

function addNames(command: Command, name: string, kind: 'services' | 'actions'): void {
  command
    .command(name)
    .description(`${kind} with their types`)
    .action(
      action(async (context) => {
        const found = (await graph(context))[kind];
        const shown = found.filter((one) => !hidden(one.name));
        context.out.result({ [kind]: shown }, () =>
          table(
            ['NAME', 'TYPE'],
            shown.map((one) => [one.name, one.types.join(', ')]),
          ),
        );
        return 0;
      }),
    );
}

function addLists(ros: Command): void {
  ros
    .command('topics')
    .description('topics with their types, publishers and subscribers; what does not fit')
    .option('--all', 'hidden topics as well, and each endpoint with its quality of service')
    .addHelpText('after', '\nExample:\n  auraison ros topics --json | jq ".topics[].topic"')
    .action(
      action(async (context, { all }: { all?: boolean }) => {
        const found = await graph(context);
        const topics = found.topics.filter(({ topic }) => all === true || !hidden(topic));
        context.out.result({ topics, qos_events: found.qos_events }, () =>
          topicsText({ ...found, topics }, all),
        );
        return 0;
      }),
    );
  ros
    .command('nodes')
    .description('nodes')
    .action(
      action(async (context) => {
        const { nodes } = await graph(context);
        context.out.result({ nodes }, () => nodes.map(({ name }) => name).join('\n'));
        return 0;
      }),
    );
  for (const kind of ['services', 'actions'] as const) addNames(ros, kind, kind);
}

function topicsText({ topics, qos_events }: Graph, all?: boolean): string {
  const rows = table(
    ['TOPIC', 'TYPE', 'PUBLISHERS', 'SUBSCRIBERS'],
    topics.map((t) => [t.topic, t.types.join(', '), `${t.publishers.length}`, `${t.subscribers.length}`]),
  );
  const ends = topics.flatMap(({ topic, publishers, subscribers }) => [
    ...publishers.map((end) => [topic, 'offers', end.node, qosText(end.qos)]),
    ...subscribers.map((end) => [topic, 'asks for', end.node, qosText(end.qos)]),
  ]);
  const events = qos_events.map(
    (event) => `${event.topic}: ${event.message} (${event.count} times)\n  ${event.hint}`,
  );
  return [
    rows,
    ...(all === true ? ['', table(['TOPIC', '', 'NODE', 'QUALITY OF SERVICE'], ends)] : []),
    ...(events.length > 0 ? ['', ...events] : []),
  ].join('\n');
}

function addCall(command: Command, group: 'ros' | 'services'): void {
  command
    .command('call <service> <type> [request]')
    .description('call a service; the request is JSON, missing fields take their defaults')
    .option('--timeout <seconds>', 'wait at most this long', '5')
    .addHelpText(
      'after',
      `\nExample:\n  auraison ${group} call /set_mode std_srvs/srv/SetBool '{"data": true}'`,
    )
    .action(
      action(
        async (
          { api, out },
          service: string,
          type: string,
          request: string | undefined,
          { timeout }: Timed,
        ) => {
          const timeout_ms = milliseconds(timeout);
          const body = { service, type, request: json(request, 'request'), timeout_ms };
          const answer = await api.post<{ response: unknown }>(
            '/v1/ros/services/call',
            body,
            timeout_ms + 5_000,
          );
          out.result(answer.response, () => JSON.stringify(answer.response, null, 2));
          return 0;
        },
      ),
    );
}

function addCalls(ros: Command): void {
  addCall(ros, 'ros');
  ros
    .command('send-goal <action> <type> [goal]')
    .description('send a goal and wait for its result; Ctrl-C cancels it. Exit code 1 unless it succeeded')
    .option('--timeout <seconds>', 'wait at most this long for the server to accept', '5')
    .option('--feedback', 'show feedback as it comes, on standard error')
    .addHelpText(
      'after',
      `\nExample:\n  auraison ros send-goal /count example_interfaces/action/Fibonacci '{"order": 5}' --feedback`,
    )
    .action(
      action(
        async (
          context,
          name: string,
          type: string,
          goal: string | undefined,
          { timeout, feedback }: Timed & { feedback?: boolean },
        ) => {
          const timeout_ms = milliseconds(timeout);
          const body = { action: name, type, goal: json(goal, 'goal'), timeout_ms };
          const sent = await context.api.post<Goal>('/v1/ros/actions/goals', body, timeout_ms + 5_000);
          const ended = await follow(context, sent, feedback === true);
          context.out.result(ended, () =>
            [
              `${ended.state}${ended.reason === '' ? '' : `: ${ended.reason}`}`,
              JSON.stringify(ended.result ?? {}, null, 2),
            ].join('\n'),
          );
          return ended.state === 'succeeded' ? 0 : 1;
        },
      ),
    );
}

async function follow({ api, out }: CommandContext, sent: Goal, feedback: boolean): Promise<Goal> {
  let goal = sent;
  let cancelling = false;
  const onInterrupt = () => {
    // After the second Ctrl-C the server is not waited for.
    if (cancelling) process.exit(130);
    cancelling = true;
    out.note('cancelling ...');
    void api
      .post(`/v1/ros/actions/goals/${sent.goal_id}/cancel`)
      .catch((error: Error) => out.note(error.message));
  };
  process.on('SIGINT', onInterrupt);
  try {
    for (;;) {
      if (feedback) for (const { value } of goal.feedback) out.note(JSON.stringify(value));
      if (goal.state !== 'running') return goal;
      await sleep(POLL_MS);
      goal = await api.get<Goal>(`/v1/ros/actions/goals/${sent.goal_id}?after=${goal.feedback_seq}`);
    }
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

function addParams(ros: Command): void {
  const param = ros.command('param').description('parameters of a node');
  param
    .command('list <node>')
    .description('names of the parameters of a node')
    .action(
      action(async ({ api, out }, node: string) => {
        const found = await api.get<{ names: string[] }>(`/v1/ros/params?${new URLSearchParams({ node })}`);
        out.result(found, () => found.names.join('\n'));
        return 0;
      }),
    );
  param
    .command('get <node> <name...>')
    .description('values of parameters')
    .addHelpText('after', '\nExample:\n  auraison ros param get /controller_server use_sim_time')
    .action(
      action(async ({ api, out }, node: string, names: string[]) => {
        const query = new URLSearchParams([
          ['node', node],
          ...names.map((name): [string, string] => ['name', name]),
        ]);
        const found = await api.get<{ values: Record<string, { kind: string; value?: unknown }> }>(
          `/v1/ros/params?${query}`,
        );
        out.result(found, () =>
          table(
            ['NAME', 'KIND', 'VALUE'],
            Object.entries(found.values).map(([name, { kind, value }]) => [
              name,
              kind,
              value === undefined ? '' : JSON.stringify(value),
            ]),
          ),
        );
        return 0;
      }),
    );
  param
    .command('set <node> <name> <value>')
    .description('set a parameter; true, 7, 0.5, text or a JSON list. Write 7.0 for a double')
    .addHelpText('after', '\nExample:\n  auraison ros param set /controller_server max_speed 0.4')
    .action(
      action(async ({ api, out }, node: string, name: string, value: string) => {
        const body = { node, values: { [name]: parameter(value) } };
        const { refused } = await api.post<{ refused: Record<string, string> }>('/v1/ros/params', body);
        out.result({ refused }, () => (name in refused ? `refused: ${refused[name]}` : 'set'));
        return name in refused ? 1 : 0;
      }),
    );
}

/** A value as ROS's own command line reads it. */
export function parameter(text: string): { kind: string; value: unknown } {
  if (text === 'true' || text === 'false') return { kind: 'bool', value: text === 'true' };
  if (/^[+-]?\d+$/.test(text)) return { kind: 'integer', value: text.replace(/^\+/, '') };
  if (text.trim() !== '' && Number.isFinite(Number(text))) return { kind: 'double', value: Number(text) };
  if (!text.startsWith('[')) return { kind: 'string', value: text };
  const list = json(text, 'value') as unknown as unknown[];
  if (!Array.isArray(list)) throw wrong('param set', 'value', 'a JSON list expected');
  if (list.every((one) => typeof one === 'boolean')) return { kind: 'bools', value: list };
  if (list.every((one) => typeof one === 'string')) return { kind: 'strings', value: list };
  if (!list.every((one) => typeof one === 'number'))
    throw wrong('param set', 'value', 'a list of one kind expected');
  const whole = !/[.eE]/.test(text) && list.every(Number.isSafeInteger);
  return { kind: whole ? 'integers' : 'doubles', value: list };
}

function addLifecycle(ros: Command): void {
  const lifecycle = ros.command('lifecycle').description('state of a managed node');
  const show = (out: CommandContext['out'], found: { state: string }) => out.result(found, () => found.state);
  lifecycle
    .command('get <node>')
    .description('state of a managed node')
    .action(
      action(async ({ api, out }, node: string) => {
        show(out, await api.get<{ state: string }>(`/v1/ros/lifecycle?${new URLSearchParams({ node })}`));
        return 0;
      }),
    );
  lifecycle
    .command('set <node> <transition>')
    .description('configure, cleanup, activate, deactivate or shutdown a managed node')
    .addHelpText('after', '\nExample:\n  auraison ros lifecycle set /map_server activate')
    .action(
      action(async ({ api, out }, node: string, transition: string) => {
        show(out, await api.post<{ state: string }>('/v1/ros/lifecycle', { node, transition }));
        return 0;
      }),
    );
}

function json(text: string | undefined, what: string): Record<string, unknown> {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw wrong('ros', what, `not JSON: ${(error as Error).message}`);
  }
}

function milliseconds(text: string): number {
  const ms = Math.round(Number(text) * 1000);
  if (ms >= 1 && ms <= 60_000) return ms;
  throw wrong('ros', '--timeout', `--timeout ${text}: seconds from 0.001 to 60 expected`);
}

function wrong(operation: string, subject: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation, subject, message });
}
