import { integer, quantity, text, texts } from './spec.ts';

/** `[engine]`: a model server that this daemon runs, see docs/engine.md. */
export const ENGINE_KEYS = {
  model_name: text('', 'name of the [[models]] that it serves; empty: no engine is run'),
  command: texts(
    [
      ...['vllm', 'serve', '{model}', '--revision', '{revision}', '--served-model-name', '{name}'],
      ...['--host', '127.0.0.1', '--port', '{port}', '--enable-sleep-mode'],
    ],
    'program and arguments; {model}, {revision}, {name} and {port} are filled in; no shell reads it',
  ),
  model: text('', 'folder on this host, or name on a hub'),
  revision: text(
    '',
    'what the model has to be: of a folder "sha256:…" (auraison engine digest), of a hub its commit; empty: not checked',
  ),
  port: integer(8_000, 'of the server, on loopback', { min: 1, max: 65_535 }),
  env: texts(
    ['HF_HOME', 'HF_HUB_OFFLINE', 'CUDA_VISIBLE_DEVICES', 'VLLM_SERVER_DEV_MODE=1', 'VLLM_NO_USAGE_STATS=1'],
    'variables that it gets beside PATH and HOME: NAME as the daemon has it, or NAME=value',
  ),
  memory_floor: quantity(
    'size',
    '0 B',
    'free memory of the graphics processor (without one: of the host) that it is started and woken with; "0 B": any',
  ),
  start_timeout: quantity('duration', '10 min', 'from its start to its being ready', {
    min: 1_000,
    max: 86_400_000,
  }),
  stop_timeout: quantity('duration', '10 s', 'from SIGTERM to SIGKILL', { min: 100, max: 600_000 }),
  sleep_after: quantity('duration', '0 s', 'without a request for this long it sleeps; "0 s": never', {
    max: 86_400_000,
  }),
  sleep_level: integer(1, '1: weights go to the memory of the host; 2: they are loaded again', {
    min: 1,
    max: 2,
  }),
} as const;
