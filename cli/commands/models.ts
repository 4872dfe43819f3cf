import type { Command } from 'commander';
import { action } from '../context.ts';
import { table } from '../output.ts';

type Model = {
  readonly name: string;
  readonly model_id: string;
  readonly url: string;
  readonly state: string;
  readonly reason: string;
  readonly failures_in_row: number;
  readonly running: number;
  readonly waiting: number;
  readonly places: number;
  readonly server_waiting?: number;
  readonly calls: number;
  readonly failures: number;
  readonly cost_usd: number;
  readonly first_token_ms?: number;
  readonly tokens_per_second?: number;
};
type Test = {
  readonly model_id: string;
  readonly text: string;
  readonly tokens_in: number;
  readonly tokens_out: number;
  readonly duration_ms: number;
  readonly first_token_ms?: number;
  readonly tokens_per_second?: number;
};

/** The client waits a little longer than the daemon, whose message says more. */
const SPARE_MS = 5_000;

export function addModelsCommands(program: Command): void {
  const models = program
    .command('models')
    .description('models that agents use: health, queue, latency, cost; exit code 1 when one is down')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison models\n  auraison models --json | jq -r ".models[] | select(.state != \\"up\\").name"\n  auraison models test local',
    )
    .action(
      action(async ({ api, out }) => {
        const answer = await api.get<{ models: Model[] }>('/v1/models');
        out.result(answer, () => modelsText(answer.models));
        return answer.models.some(({ state }) => state === 'down') ? 1 : 0;
      }),
    );

  models
    .command('test <name>')
    .description('one prompt to one model, past queue, cache and fallback: its answer and its speed')
    .option('--prompt <text>', 'what it is asked')
    .option('--max-tokens <n>', 'length of its answer, at most', Number, 64)
    .option('--timeout <ms>', 'milliseconds to wait', Number, 60_000)
    .addHelpText(
      'after',
      '\nExamples:\n  auraison models test local\n  auraison models test local --prompt "Where am I?"',
    )
    .action(
      action(
        async (
          { api, out },
          name: string,
          options: { prompt?: string; maxTokens: number; timeout: number },
        ) => {
          const body = {
            max_tokens: options.maxTokens,
            timeout_ms: options.timeout,
            ...(options.prompt === undefined ? {} : { prompt: options.prompt }),
          };
          const path = `/v1/models/${encodeURIComponent(name)}/test`;
          const test = await api.post<Test>(path, body, options.timeout + SPARE_MS);
          out.result(test, () => testText(test));
          return 0;
        },
      ),
    );

  models
    .command('wake <name>')
    .description('wake a sleeping engine and wait until it is awake')
    .addHelpText('after', '\nExample:\n  auraison models wake local')
    .action(
      action(async ({ api, out }, name: string) => {
        const path = `/v1/models/${encodeURIComponent(name)}/wake`;
        const answer = await api.post<{ awake: boolean }>(path, {}, 125_000);
        out.result(answer, () => `${name} is awake`);
        return 0;
      }),
    );
}

function modelsText(models: readonly Model[]): string {
  if (models.length === 0) return 'no models: [[models]] in the configuration, see docs/models.md';
  const rows = models.map((model) => [
    model.name,
    model.state === 'failing' ? `failing (${model.failures_in_row})` : model.state,
    model.model_id,
    `${model.running}/${model.places}`,
    String(model.waiting + (model.server_waiting ?? 0)),
    model.first_token_ms === undefined ? '' : `${Math.round(model.first_token_ms)} ms`,
    model.tokens_per_second === undefined ? '' : `${model.tokens_per_second.toFixed(1)}/s`,
    `${model.calls}${model.failures > 0 ? ` (${model.failures} failed)` : ''}`,
    model.cost_usd === 0 ? '' : `$${model.cost_usd.toFixed(4)}`,
    model.reason,
  ]);
  return table(
    ['MODEL', 'STATE', 'SERVED AS', 'RUNNING', 'WAITING', 'FIRST TOKEN', 'TOKENS', 'CALLS', 'COST', 'REASON'],
    rows,
  );
}

function testText(test: Test): string {
  const first =
    test.first_token_ms === undefined ? '' : `, first token ${Math.round(test.first_token_ms)} ms`;
  const speed = test.tokens_per_second === undefined ? '' : `, ${test.tokens_per_second.toFixed(1)} tokens/s`;
  return `${test.text.trim()}\n\n${test.model_id}: ${test.tokens_in} + ${test.tokens_out} tokens in ${Math.round(test.duration_ms)} ms${first}${speed}`;
}
