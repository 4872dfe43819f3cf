import type { Command } from 'commander';
import type { AgentEvent, RunDetails, RunState } from '../../contract/index.ts';
import { action } from '../context.ts';
import { decisionView } from '../decision-view.ts';
import { defaultCommand } from '../default-command.ts';
import { table, toJson } from '../output.ts';
import { eventLine, readOnce } from './events.ts';
import { addRunControlCommands, stoppedRun } from './run-control.ts';

export function addRunsCommands(program: Command): void {
  const runs = program
    .command('runs')
    .description('runs: list, look at one, cancel, pause, talk to one, fork');
  defaultCommand(runs, 'list')
    .description('the newest runs')
    .option('--status <status>', 'only these: queued, running, succeeded, failed, cancelled ...')
    .option('--limit <count>', 'at most this many', '20')
    .action(
      action(async ({ api, out }, options: { status?: string; limit: string }) => {
        const query = new URLSearchParams({
          limit: options.limit,
          ...(options.status === undefined ? {} : { status: options.status }),
        });
        const { runs: found } = await api.get<{ runs: RunDetails[] }>(`/v1/runs?${query}`);
        out.result(found, () =>
          found.length === 0
            ? 'no runs yet; auraison intent send maze/find_exit'
            : table(
                ['RUN', 'INTENT', 'STATUS', 'PHASE', 'STARTED', 'REASON'],
                found.map((d) => [
                  d.run.run_id,
                  d.intent.type,
                  d.run.status,
                  d.phase ?? '',
                  time(d.started_ts),
                  d.reason,
                ]),
              ),
        );
        return 0;
      }),
    );
  runs
    .command('show <run>')
    .description('one run')
    .action(
      action(async ({ api, out }, run: string) => {
        const details = await api.get<RunDetails>(`/v1/runs/${encodeURIComponent(run)}`);
        out.result(details, () => toJson(details, 2));
        return 0;
      }),
    );
  runs
    .command('events <run>')
    .description('every event of a run, in order')
    .action(
      action(async ({ api, out }, run: string) => {
        const print = (event: AgentEvent) =>
          process.stdout.write(`${out.json ? toJson(event) : eventLine(event)}\n`);
        await readOnce(api, `/v1/runs/${encodeURIComponent(run)}/events?follow=false`, undefined, print);
        return 0;
      }),
    );
  runs
    .command('decisions <run>')
    .description('what was decided, one line each; the same seed gives the same text to the last byte')
    .option('--raw', 'each line as JSON with all its values, as the API gives it')
    .action(
      action(async ({ api, out }, run: string, { raw }: { raw?: boolean }) => {
        const text = await (await api.stream(`/v1/runs/${encodeURIComponent(run)}/decisions`)).text();
        const decisions = text
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Record<string, unknown>);
        out.result({ decisions }, () =>
          raw ? text.trimEnd() : decisions.map((line) => decisionView(line)).join('\n'),
        );
        return 0;
      }),
    );
  runs
    .command('cancel <run>')
    .description('stop the robot, then end the run. Exit code 1: the robot was not confirmed to stand')
    .action(
      action(async ({ api, out }, run: string) => {
        const state = await api.post<RunState>(`/v1/runs/${encodeURIComponent(run)}/cancel`, {
          reason: 'asked for on the command line',
        });
        return stoppedRun(out, state);
      }),
    );
  addRunControlCommands(runs);
}

function time(ns: string | undefined): string {
  return ns === undefined
    ? ''
    : new Date(Number(BigInt(ns) / 1_000_000n)).toISOString().slice(0, 19).replace('T', ' ');
}
