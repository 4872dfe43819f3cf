import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { type ControllerView, EdgeError } from '../../contract/core.ts';
import { pause } from '../../contract/deadline.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

type Stopped = ControllerView & { readonly confirmed?: false; readonly warnings?: readonly string[] };
type StartOptions = { task?: string; seconds?: string; planStep?: string; watch?: boolean };
const WATCH_MS = 1_000;

export function addControllerCommands(program: Command): void {
  const controller = program
    .command('controller')
    .description('controllers: policies that move the robot in real time (docs/control.md)');
  controller
    .command('list')
    .description('all controllers, what they do and how late they are')
    .action(
      action(async ({ api, out }) => {
        const { controllers } = await api.get<{ controllers: ControllerView[] }>('/v1/controllers');
        out.result(controllers, () => controllersText(controllers));
        return 0;
      }),
    );
  controller
    .command('start <controller>')
    .description('let its policy move the robot; returns when it has the lease')
    .option('--task <words>', 'what to do, for policies that take it')
    .option('--seconds <seconds>', 'no longer than this')
    .option('--plan-step <step>', 'the step of a plan that it serves, for the record')
    .addHelpText(
      'after',
      '\nExample:\n  auraison controller start arm --task "pick up the cube" --seconds 30',
    )
    .action(
      action(async ({ api, out }, name: string, { task, seconds, planStep }: StartOptions) => {
        const body = {
          ...(task === undefined ? {} : { task }),
          ...(seconds === undefined ? {} : { seconds: Number(seconds) }),
          ...(planStep === undefined ? {} : { plan_step: planStep }),
        };
        const path = `/v1/controllers/${encodeURIComponent(name)}/start`;
        const begun = await api.post<ControllerView>(path, body, 20_000);
        out.result(begun, () => controllersText([begun]));
        return 0;
      }),
    );
  controller
    .command('stop <controller>')
    .description('stop it now; may be repeated. Exit code 1: the robot was not confirmed to stand')
    .option('--reason <text>', 'why, for the log', 'asked for on the command line')
    .action(
      action(async ({ api, out }, name: string, { reason }: { reason: string }) => {
        const path = `/v1/controllers/${encodeURIComponent(name)}/stop`;
        const ended = await api.post<Stopped>(path, { reason });
        for (const warning of ended.warnings ?? []) out.note(`auraison: ${warning}`);
        out.result(ended, () => controllersText([ended]));
        return ended.confirmed === false ? 1 : 0;
      }),
    );
  controller
    .command('watch [controller]')
    .description('one line each second, until it ends; without a name: all of them, until interrupted')
    .action(
      action(async ({ api, out }, name: string | undefined) => {
        const clock = new SystemClock();
        for (;;) {
          const { controllers } = await api.get<{ controllers: ControllerView[] }>('/v1/controllers');
          const shown = watched(controllers, name);
          out.result(shown, () => shown.map(line).join('\n'));
          const goesOn = shown.some(({ state }) => state === 'running' || state === 'starved');
          if (name !== undefined && !goesOn) return shown.some(({ state }) => state === 'failed') ? 1 : 0;
          await pause(clock, WATCH_MS);
        }
      }),
    );
}

/** The controllers of this name, or all without a name. Throws `api.not_found` for an unknown name. */
export function watched(
  controllers: readonly ControllerView[],
  name: string | undefined,
): readonly ControllerView[] {
  const shown = controllers.filter((one) => name === undefined || one.name === name);
  if (name === undefined || shown.length > 0) return shown;
  const names = controllers.map((one) => one.name).join(', ');
  throw new EdgeError('api.not_found', {
    operation: 'watch controller',
    subject: name.slice(0, 64),
    message: `unknown controller ${name.slice(0, 64)}; configured: ${names || 'none'}`,
    hint: 'add it to [[controllers]] in the configuration; see docs/control.md',
  });
}

function controllersText(controllers: readonly ControllerView[]): string {
  if (controllers.length === 0)
    return 'no controllers are configured; add [[controllers]] to the configuration (docs/control.md)';
  return table(
    [
      'CONTROLLER',
      'POLICY',
      'RATE',
      'STATE',
      'STEPS',
      'STARVED',
      'CLAMPED',
      'REFUSED',
      'PATH P99',
      'LATE P99',
      'CLASS',
      'REASON',
    ],
    controllers.map((one) => [
      one.name,
      one.policy || 'default',
      `${one.hz} Hz`,
      one.state,
      `${one.steps}`,
      `${one.starved}`,
      `${one.clamped}`,
      `${one.refused}`,
      milliseconds(one.inference_p99_ms),
      milliseconds(one.late_p99_ms),
      one.scheduling,
      reasonOf(one),
    ]),
  );
}

function line(one: ControllerView): string {
  const late = `late p99 ${milliseconds(one.late_p99_ms)}, most ${milliseconds(one.late_max_ms)}`;
  const path = `path p99 ${milliseconds(one.inference_p99_ms)}`;
  return `${one.name}  ${one.state}  ${one.steps} steps, ${one.starved} starved, ${one.clamped} clamped, ${one.refused} refused  ${path}  ${late}  ${reasonOf(one)}`;
}

function reasonOf({ reason, stale }: ControllerView): string {
  const old = Object.entries(stale).map(([name, age]) =>
    typeof age === 'number' ? `${name} is ${Math.round(age)} ms old` : `${name} never came`,
  );
  return [reason, ...old].filter((part) => part !== '').join('; ');
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '' : `${value.toFixed(2)} ms`;
}
