import type { Command } from 'commander';
import { action, type CommandContext } from '../context.ts';
import type { LocalOptions } from '../models/add-local.ts';
import type { AddOptions } from '../models/add-options.ts';
import type { Model } from '../models/shelf.ts';
import type { Trial } from '../models/trial.ts';
import { table } from '../output.ts';

type TestOptions = { prompt?: string; maxTokens: number; timeout: number };
type Test = Omit<Trial, 'tool_call'> & {
  readonly tokens_per_second?: number;
  readonly tool_call?: Trial['tool_call'];
};

/** The client waits a little longer than the daemon, whose message says more. */
const SPARE_MS = 5_000;

const EXAMPLES = `
Examples:
  auraison models
  auraison models --json | jq -r '.models[] | select(.state != "up").name'
  auraison models add local                 a small model on this processor, without any account
  auraison models add ollama
  auraison models add anthropic --model claude-sonnet-4-5 --key-stdin < key.txt
  auraison models test local`;

const ADD_HELP = `
PROVIDER is recall (the model by which recall finds texts of the same meaning), local, ollama, vllm, llama.cpp, lmstudio, server (any with the OpenAI API), or one of Pi's providers:
anthropic, openai, google, openrouter, cloudflare, groq, mistral … (a name that is not known lists them all).
At a terminal it asks for what is missing. It sends a short question and one that wants a call of a tool, writes
[[models]] into the configuration file and lets a running daemon take it. Keys are never in that file nor on the
command line: they go into a file of mode 0600 in the data directory, or stay where --key-env and --key-file say.

Examples:
  auraison models add local
  auraison models add recall
  auraison models add ollama --model qwen3:4b --default
  auraison models add server --url http://10.0.0.5:8000/v1 --name lab
  OPENAI_KEY=… auraison models add openai --model gpt-4.1-mini --key-env OPENAI_KEY
  auraison models add anthropic --login
  auraison models add cloudflare --account ID --gateway robots --model claude-haiku-4.5 --key-stdin < key.txt`;

/** What asks, tries and writes is loaded only when it is asked for. */
export function addModelsCommands(program: Command): void {
  const models = program
    .command('models')
    .description('models that agents use: health, queue, latency, cost; exit code 1 when one is down')
    .addHelpText('after', EXAMPLES)
    .action(action(list));
  models
    .command('list')
    .description('the same; without a daemon what is configured')
    .addHelpText('after', '\nExample:\n  auraison models list --json')
    .action(action(list));
  models
    .command('add <provider>')
    .description('add a model in one step: asks for what is missing, tries it, writes the configuration')
    .option('--name <name>', 'its name in policies, log and [model] prefer')
    .option('--model <id>', 'as its server or provider names it')
    .option('--url <address>', 'of the API with its version; of a provider: a gateway before it')
    .option('--key-stdin', 'the key is read from standard input')
    .option('--key-env <variable>', 'the daemon reads the key from this variable')
    .option('--key-file <path>', 'the daemon reads the key from this file of mode 0600, or credential:NAME')
    .option('--login', 'log in at the provider instead of giving a key')
    .option('--account <id>', 'cloudflare: the account')
    .option('--gateway <id>', 'cloudflare: the AI gateway')
    .option('--context <tokens>', 'tokens of prompt and answer together', Number)
    .option('--default', 'it is asked first where nothing else is said')
    .option('--replace', 'in the place of the model that has this name')
    .option('--no-test', 'write it without asking it anything')
    .option('--timeout <ms>', 'milliseconds for each test request', Number, 60_000)
    .option('--port <number>', 'local: port of its server on loopback; default: a free one', Number)
    .option('--install-only', 'local: download and check it, and leave the configuration as it is')
    .addHelpText('after', ADD_HELP)
    .action(
      action(async (context, provider: string, options: AddOptions & LocalOptions) => {
        if (provider === 'local')
          return await (await import('../models/add-local.ts')).addLocal(context, options);
        if (provider === 'recall') return await (await import('../models/add-recall.ts')).addRecall(context);
        return await (await import('../models/add-model.ts')).addModel(context, provider, options);
      }),
    );
  models
    .command('show <name>')
    .description('one model: every key, where its key is, and how it stands')
    .addHelpText('after', '\nExample:\n  auraison models show local')
    .action(action(async (context, name: string) => (await shelf()).showModel(context, name)));
  models
    .command('set-default <name>')
    .description('ask this model first where nothing else is said')
    .addHelpText('after', '\nExample:\n  auraison models set-default local')
    .action(action(async (context, name: string) => (await shelf()).setDefault(context, name)));
  models
    .command('remove <name>')
    .description('take a model out, with the key that was kept for it and the server that is run for it')
    .addHelpText('after', '\nExample:\n  auraison models remove cloud')
    .action(action(async (context, name: string) => (await shelf()).removeModel(context, name)));
  models
    .command('login <provider>')
    .description('log in at a provider in a browser or by a code; the login is kept in a file of mode 0600')
    .addHelpText('after', '\nExample:\n  auraison models login anthropic')
    .action(action(async (context, name: string) => (await shelf()).loginCommand(context, name)));
  models
    .command('logout <provider>')
    .description('forget a login')
    .addHelpText('after', '\nExample:\n  auraison models logout anthropic')
    .action(action(async (context, name: string) => (await shelf()).logoutCommand(context, name)));
  models
    .command('test <name>')
    .description(
      'one prompt and one call of a tool, past queue, cache and fallback: its answers and its speed',
    )
    .option('--prompt <text>', 'what it is asked; no call of a tool then')
    .option('--max-tokens <n>', 'length of its answer, at most', Number, 64)
    .option('--timeout <ms>', 'milliseconds to wait', Number, 60_000)
    .addHelpText(
      'after',
      '\nWithout a daemon it is asked from here.\n\nExamples:\n  auraison models test local\n  auraison models test local --prompt "Where am I?"',
    )
    .action(action(test));
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

const shelf = () => import('../models/shelf.ts');

async function list(context: CommandContext): Promise<number> {
  const { configured, liveModels } = await shelf();
  const live = await liveModels(context);
  const models = live ?? configured(context.settings.config.models);
  context.out.result({ daemon: live !== undefined, models }, () => modelsText(models));
  return models.some(({ state }) => state === 'down') ? 1 : 0;
}

async function test(context: CommandContext, name: string, options: TestOptions): Promise<number> {
  const { api, out, settings } = context;
  const { liveModels } = await shelf();
  const live = await liveModels(context);
  let told: Test;
  if (live === undefined) {
    const { configFile, rowOf } = await import('../models/config-file.ts');
    const { tryModel } = await import('../models/trial.ts');
    told = await tryModel(rowOf(configFile(settings), name).row, settings.dataDir, options.timeout);
  } else {
    const body = {
      max_tokens: options.maxTokens,
      timeout_ms: options.timeout,
      ...(options.prompt === undefined ? { tool_call: true } : { prompt: options.prompt }),
    };
    const path = `/v1/models/${encodeURIComponent(name)}/test`;
    told = await api.post<Test>(path, body, options.timeout * 2 + SPARE_MS);
  }
  out.result(told, () => testText(told));
  return told.tool_call?.ok === false ? 1 : 0;
}

function modelsText(models: readonly Model[]): string {
  if (models.length === 0) return 'no models: auraison models add local, or auraison models add --help';
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

function testText(told: Test): string {
  const first =
    told.first_token_ms === undefined ? '' : `, first token ${Math.round(told.first_token_ms)} ms`;
  const speed = told.tokens_per_second === undefined ? '' : `, ${told.tokens_per_second.toFixed(1)} tokens/s`;
  const call = told.tool_call;
  return [
    `${told.text.trim()}\n`,
    ...(call ? [call.ok ? `calls tools: ${call.call}` : `calls no tools: ${call.reason}`] : []),
    `${told.model_id}: ${told.tokens_in} + ${told.tokens_out} tokens in ${Math.round(told.duration_ms)} ms${first}${speed}`,
  ].join('\n');
}
