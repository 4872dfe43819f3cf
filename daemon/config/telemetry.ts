import { flag, integer, quantity, text } from './spec.ts';

/** Traces of runs for an OpenTelemetry collector, or for a file. Off where neither is asked for. */
export const TELEMETRY_KEYS = {
  endpoint: text(
    '',
    'OTLP/HTTP address for traces, for example http://127.0.0.1:4318/v1/traces; empty: none',
    {
      match: /^(|https?:\/\/.+)$/,
      expected: 'an http or https address, or ""',
    },
  ),
  headers_file: text(
    '',
    'headers for the endpoint, one "name: value" a line: a path, or credential:NAME for a systemd credential',
  ),
  sample_percent: integer(100, 'share of the traces that is exported, chosen by their ids', {
    min: 0,
    max: 100,
  }),
  file: flag(false, 'write spans as JSON lines into telemetry/ of the data directory'),
  file_quota: quantity('size', '64 MiB', 'all of these files together; the oldest go first', { min: 4_096 }),
} as const;
