import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { type Clock, EdgeError, type LeaseView, pause } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { action, type CommandContext } from '../context.ts';
import type { Status } from '../status-view.ts';
import { jointsOf, type Motion, Stick } from '../teleop/stick.ts';
import { engage } from './estop.ts';

/** A command counts for 300 ms, so one may get lost. */
const COMMAND_MS = 100;
const TTL_MS = 2_000;
const RENEW_EVERY = 5;
/** Commands may fail for this long in a row, milliseconds; then the robot cannot be steered from here. */
const PATIENCE_MS = 3_000;

type Options = {
  readonly linear?: string;
  readonly angular?: string;
  readonly joint?: readonly string[];
  readonly seconds?: string;
  readonly speed: string;
  readonly turn: string;
};

/** The part of a terminal's input that is used. */
export type Keyboard = Pick<typeof process.stdin, 'isTTY' | 'setRawMode' | 'resume' | 'pause' | 'on' | 'off'>;

export function addTeleopCommand(program: Command): void {
  program
    .command('teleop')
    .description('steer the robot by hand, under a lease that outranks every program, through the gates')
    .option('--linear <m/s>', 'forward; then it steers for --seconds instead of by keys')
    .option('--angular <rad/s>', 'counter-clockwise')
    .option('--joint <name=position...>', 'joints of the arm, radians or metres')
    .option('--seconds <s>', 'how long', '1')
    .option('--speed <m/s>', 'of the arrow keys', '0.2')
    .option('--turn <rad/s>', 'of the arrow keys', '0.8')
    .addHelpText(
      'after',
      '\nKeys: arrows or w a s d steer, space stops, e engages the emergency stop, q ends.\n\nExamples:\n' +
        '  auraison teleop\n  auraison teleop --linear 0.1 --seconds 2\n  auraison teleop --joint joint_1=0.3 gripper=0.04 --seconds 3',
    )
    .action(action((context, options: Options) => teleop(context, options, process.stdin)));
}

/** The exit code: 1 where key e engaged the emergency stop, and the robot was not confirmed to stand. */
export async function teleop(context: CommandContext, options: Options, keyboard: Keyboard): Promise<number> {
  const { api, out } = context;
  const clock = new SystemClock();
  const lease = await api.post<LeaseView>('/v1/lease', { ttl_ms: TTL_MS });
  const id = lease.lease_id!;
  let sent = 0;
  let code = 0;
  try {
    const told = givenOf(options);
    // The command itself is the press: what was held before does not count.
    if (told && 'twist' in told) await letGo(api, clock, id);
    if (told) sent = await steer(api, clock, id, () => told, seconds(options.seconds));
    else ({ sent, code } = await byKeys(context, clock, id, options, keyboard));
  } finally {
    await api.post('/v1/lease/return', { lease_id: id }).catch(() => {});
  }
  const waiting = await pausedRuns(api);
  out.result({ commands: sent }, () =>
    [`${sent} commands; the lease is given back`, ...waiting.map(waitingLine)].join('\n'),
  );
  return code;
}

type Paused = { readonly run_id: string; readonly reason: string };

/** Runs that were taken over stay paused until a person resumes them; none where the daemon does not say. */
async function pausedRuns(api: ApiClient): Promise<readonly Paused[]> {
  const status = await api.get<Partial<Status>>('/v1/status').catch(() => undefined);
  return status?.runs?.available ? (status.runs.load?.paused ?? []) : [];
}

const waitingLine = ({ run_id, reason }: Paused) =>
  `a run is paused, ${reason}: auraison runs resume ${run_id}`;

/** Undefined: no fixed command, keys steer. */
function givenOf({ linear, angular, joint }: Options): Motion | undefined {
  if (joint !== undefined && joint.length > 0) return { joints: jointsOf(joint) };
  if (linear === undefined && angular === undefined) return undefined;
  return {
    twist: { linear: numberOf(linear ?? '0', '--linear'), angular: numberOf(angular ?? '0', '--angular') },
  };
}

async function byKeys(
  context: CommandContext,
  clock: Clock,
  id: number,
  options: Options,
  keyboard: Keyboard,
): Promise<{ readonly sent: number; readonly code: number }> {
  if (!keyboard.isTTY) {
    throw new EdgeError('schema.invalid', {
      operation: 'teleop',
      subject: 'stdin',
      message: 'there is no keyboard here: give --linear, --angular or --joint',
    });
  }
  const stick = new Stick(clock, numberOf(options.speed, '--speed'), numberOf(options.turn, '--turn'));
  let stopping: Promise<number> | undefined;
  let sent = 0;
  const onKey = (key: Buffer) => {
    if (stick.press(key.toString('latin1')) === 'estop')
      stopping ??= engage(context, 'key e of auraison teleop');
    // Whether it worked is reported below; until then it is no error.
    stopping?.catch(() => {});
  };
  keyboard.setRawMode(true).resume().on('data', onKey);
  process.stderr.write('arrows or w a s d steer, space stops, e: emergency stop, q: end\n');
  try {
    // Whatever stopped the robot before, also the taking of the lease, the first key is a new press.
    await letGo(context.api, clock, id);
    sent = await steer(
      context.api,
      clock,
      id,
      () => stick.motion(),
      Number.POSITIVE_INFINITY,
      () => {
        stick.release();
        process.stderr.write('the robot was stopped: let the keys go for a second, then press again\n');
      },
    );
  } catch (error) {
    // A stop refuses the commands that came after it.
    if (!stopping) throw error;
  } finally {
    keyboard.off('data', onKey).setRawMode(false).pause();
  }
  return { sent, code: (await stopping) ?? 0 };
}

/**
 * Sends the command of `now`, and none while that is `quiet`, until it is undefined, time is over, the lease is lost, or commands failed for
 * `PATIENCE_MS`. `stopped` is called when somebody stopped the robot: the lease stays. Absent: it ends with
 * `robot.preempted`.
 */
export async function steer(
  api: Pick<ApiClient, 'post'>,
  clock: Clock,
  id: number,
  now: () => Motion | 'quiet' | undefined,
  lastsSeconds: number,
  stopped?: () => void,
): Promise<number> {
  const beginMs = clock.monotonicMs();
  let sent = 0;
  let failingMs: number | undefined;
  let renewed = false;
  for (let tries = 0; ; tries++) {
    const motion = now();
    if (!motion || clock.monotonicMs() - beginMs > lastsSeconds * 1000) return sent;
    if (tries % RENEW_EVERY === 0) renewed = false;
    try {
      if (motion !== 'quiet') {
        await api.post('/v1/teleop', { lease_id: id, ...motion }, 1_000).catch((thrown: unknown) => {
          if (!stopped || !isPreempted(thrown)) throw thrown;
          stopped();
        });
        sent++;
      }
      if (!renewed) await api.post('/v1/lease/renew', { lease_id: id }, 1_000);
      renewed = true;
      failingMs = undefined;
    } catch (thrown) {
      failingMs ??= clock.monotonicMs();
      if (!passes(thrown) || isPreempted(thrown) || clock.monotonicMs() - failingMs >= PATIENCE_MS)
        throw thrown;
    }
    await pause(clock, COMMAND_MS);
  }
}

/** A command to stand, again until one arrives: the motion after it is a new press. */
export async function letGo(api: Pick<ApiClient, 'post'>, clock: Clock, id: number): Promise<void> {
  const beginMs = clock.monotonicMs();
  for (;;) {
    try {
      await api.post('/v1/teleop', { lease_id: id, twist: { linear: 0, angular: 0 } }, 1_000);
      return;
    } catch (thrown) {
      if (!passes(thrown) || clock.monotonicMs() - beginMs >= PATIENCE_MS) throw thrown;
    }
    await pause(clock, COMMAND_MS);
  }
}

/** One command was late or got lost: the next one may arrive. The lease does not come back. */
function passes(thrown: unknown): boolean {
  return thrown instanceof EdgeError && thrown.retryable && !thrown.code.startsWith('lease.');
}

/** The robot is being stopped, or was. The lease stays. */
function isPreempted(thrown: unknown): boolean {
  return thrown instanceof EdgeError && thrown.code === 'robot.preempted';
}

function seconds(text: string | undefined): number {
  const value = numberOf(text ?? '1', '--seconds');
  if (value > 0) return value;
  throw notANumber(String(text), '--seconds');
}

function numberOf(text: string, subject: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw notANumber(text, subject);
}

function notANumber(text: string, subject: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'teleop',
    subject,
    message: `${subject} ${text}: a number expected`,
  });
}
