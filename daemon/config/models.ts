import { LIMITS } from '../../contract/core.ts';
import { type NamedRows, type RowFault, readNamedRows } from './named-rows.ts';
import { choice, flag, integer, type KeySpec, quantity, text, texts } from './spec.ts';

/** `[model]`: what all models share. */
export const MODEL_KEYS = {
  cache: quantity(
    'size',
    '16 MiB',
    'answers to calls with temperature 0 and a seed are kept in memory; "0 B": none',
    { max: 1024 ** 3 },
  ),
  health_every: quantity('duration', '10 s', 'servers are asked how they are; "0 s": only on demand', {
    max: 3_600_000,
  }),
  shed_late: integer(
    25,
    'a control loop that is late by this share of its period, percent: models on this host give way; 0: never',
    { min: 0, max: 100 },
  ),
} as const;

const TIME = { min: 50, max: 3_600_000 };

/** Rows of `[[models]]`: their keys, defaults and meaning. The first that fits and answers is taken. */
export const MODEL_ROW_KEYS = {
  name: text('', 'name of the model: in policies, log, metrics and as agents ask for it', {
    match: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    expected: 'a name of letters, digits, dot, dash, underscore',
  }),
  kind: choice(
    ['openai', 'pi'],
    'openai',
    'openai: any server with the OpenAI API, such as vLLM and llama.cpp; pi: a provider by its own API',
  ),
  url: text('', 'of the API with its version: "http://127.0.0.1:8000/v1"; kind pi: only for a gateway', {
    match: /^(|https?:\/\/[^\s@]+)$/,
    expected: 'an http or https address without a password',
  }),
  provider: text('', 'kind pi: anthropic, openai, google, mistral, groq …', {
    match: /^[a-z0-9-]{0,64}$/,
    expected: 'the name of a provider',
  }),
  model: text('', 'the model as its server names it'),
  api_key_file: text(
    '',
    'key of the API: a path, credential:NAME or env:NAME; empty: the server wants none, kind pi: as its provider is logged in',
  ),
  provider_env: texts(
    [],
    'kind pi: what its provider has to know beside the key, for example "CLOUDFLARE_ACCOUNT_ID=…"; no secrets',
  ),
  vision: flag(false, 'it understands images'),
  tools: flag(true, 'it can be given tools'),
  context: integer(8_192, 'tokens of prompt and answer together', { min: 128, max: 100_000_000 }),
  latency: choice(['any', 'low'], 'any', 'low: calls that ask for low latency prefer it'),
  cost_in: money('US dollars per million tokens of prompt'),
  cost_out: money('US dollars per million tokens of answer'),
  json_mode: choice(
    ['auto', 'native', 'schema', 'text'],
    'auto',
    'how tools are asked for: fields of the API, one JSON schema, or words; auto: fields, and a schema where a call is forced',
  ),
  probe: flag(true, 'a silent server is asked whether it lives'),
  wake: flag(false, 'a sleeping engine is woken when a call meets it'),
  local: choice(
    ['auto', 'yes', 'no'],
    'auto',
    'it works on this host and gives way to the control loops; auto: where its address is of this host',
  ),
  silence: quantity(
    'duration',
    '300 ms',
    'no token for this long: the server is asked whether it lives',
    TIME,
  ),
  probe_timeout: quantity(
    'duration',
    '600 ms',
    'and is taken for gone when it does not say so in this time',
    TIME,
  ),
  first_token: quantity('duration', '30 s', 'from the request to the first token, at most', TIME),
  stall: quantity('duration', '5 s', 'between two tokens, at most', TIME),
  hang: quantity(
    'duration',
    '0 s',
    'an engine with work that takes no step for this long hangs (vLLM reports its steps); "0 s": 600 ms with latency "low", else 10 s',
    { max: 3_600_000 },
  ),
  timeout: quantity('duration', '2 min', 'one call, at most', TIME),
  queue: quantity(
    'duration',
    '5 s',
    'a call waits this long for a place, then the next model is asked',
    TIME,
  ),
  concurrency: integer(4, 'calls at a time', { min: 1, max: 1_024 }),
} as const;

export type ModelRow = {
  readonly [K in keyof typeof MODEL_ROW_KEYS]: (typeof MODEL_ROW_KEYS)[K]['fallback'];
};

/**
 * The list `[[models]]`. Faults are reported row by row (from 0; undefined: the whole list); a row with one is left
 * out.
 */
export function readModels(body: unknown, fault: RowFault): readonly ModelRow[] {
  return readNamedRows<ModelRow>(body, MODELS, fault);
}

const MODELS: NamedRows<ModelRow> = {
  list: 'models',
  one: 'model',
  max: LIMITS.MODELS_MAX,
  keys: MODEL_ROW_KEYS,
  hint: (key) => (/key|token|secret/.test(key) ? ': keys stand in a file, api_key_file' : ''),
  agree(row, refuse) {
    for (const key of ['name', 'model'] as const) if (row[key] === '') refuse(key, '', 'a value');
    if (row.kind === 'openai' && row.url === '') refuse('url', '', 'the address of the server');
    if (row.kind === 'pi' && row.provider === '') refuse('provider', '', 'the name of a provider');
    for (const entry of row.provider_env)
      if (!/^[A-Z][A-Z0-9_]*=/.test(entry) || /KEY|TOKEN|SECRET|PASSWORD/.test(entry.split('=')[0]!))
        refuse('provider_env', '', 'entries NAME=value without secrets: a key stands in api_key_file');
  },
};

/** A price. */
function money(about: string): KeySpec<number> {
  return {
    kind: 'number',
    fallback: 0,
    shown: '0',
    about,
    fromText: Number,
    read: (value) =>
      typeof value === 'number' && value >= 0 && value <= 1_000_000
        ? { ok: true, value }
        : { ok: false, expected: 'US dollars, for example 0.6' },
  };
}

/** The rows as a person would write them, for `config show`. */
export function showModels(): string[] {
  const lines = Object.entries(MODEL_ROW_KEYS).flatMap(([key, { about, shown }]) => [
    `# ${about}`,
    `# ${key} = ${shown}`,
  ]);
  return ['# [[models]]: models that agents may use, in the order in which they are asked', ...lines, ''];
}
