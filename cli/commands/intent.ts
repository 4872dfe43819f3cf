import type { Command } from 'commander';
import {
  EdgeError,
  type IntentRequest,
  isFinished,
  type RunDetails,
  type Submitted,
} from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { action } from '../context.ts';

type SendOptions = { params?: string; key?: string; priority?: string; wait?: boolean };

export function addIntentCommands(program: Command): void {
  const intent = program.command('intent').description('ask the robot for something');
  intent
    .command('send <type>')
    .description('send an intent; it opens a run')
    .option('--params <json>', 'parameters of the application, as a JSON object')
    .option('--key <text>', 'idempotency key: the same key twice opens one run')
    .option('--priority <0-9>', '9 is most urgent, 5 is normal')
    .option('--wait', 'wait for the end of the run; exit code 1 if it does not succeed')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison intent send maze/find_exit\n  auraison intent send maze/find_exit --params \'{"max_duration_s": 600}\' --wait',
    )
    .action(
      action(async ({ api, out }, type: string, options: SendOptions) => {
        const request: IntentRequest = {
          type,
          ...(options.params === undefined ? {} : { params: parseParams(options.params) }),
          ...(options.key === undefined ? {} : { idempotency_key: options.key }),
          ...(options.priority === undefined ? {} : { priority: Number(options.priority) }),
        };
        const sent = await api.post<Submitted>('/v1/intents', request, 60_000, {
          'x-auraison-origin': 'cli',
        });
        if (!options.wait) {
          out.result(
            sent,
            () => `run ${sent.run.run_id} ${sent.run.status}${sent.duplicate ? ' (was opened before)' : ''}`,
          );
          return 0;
        }
        const { run_id, status } = sent.run;
        if (!out.json)
          out.note(`run ${run_id} ${status}; auraison watch shows it, Ctrl-C leaves it as it is`);
        const details = await waitForRun(api, run_id);
        out.result(details, () => `run ${details.run.run_id} ${details.run.status}: ${details.reason}`);
        return details.run.status === 'succeeded' ? 0 : 1;
      }),
    );
}

/** Looks twice a second until the run has ended. */
export async function waitForRun(
  api: ApiClient,
  runId: string,
  onLook?: (details: RunDetails) => void,
): Promise<RunDetails> {
  for (;;) {
    const details = await api.get<RunDetails>(`/v1/runs/${runId}`);
    onLook?.(details);
    if (isFinished(details.run.status)) return details;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function parseParams(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EdgeError('schema.invalid', {
      operation: 'intent send',
      subject: '--params',
      message: `--params is not JSON: ${(cause as Error).message}`,
      hint: `for example --params '{"max_bumps": 3}'`,
      cause,
    });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new EdgeError('schema.invalid', {
    operation: 'intent send',
    subject: '--params',
    message: '--params is not a JSON object',
  });
}
