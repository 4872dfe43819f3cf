import { pino } from 'pino';

export type Logger = {
  log(
    level: 'debug' | 'info' | 'warn' | 'error',
    cell: string,
    message: string,
    facts?: Readonly<Record<string, unknown>>,
  ): void;
};

/** Fields that never reach a log, at any depth we use. */
const SECRETS = [
  'token',
  'password',
  'secret',
  'authorization',
  '*.token',
  '*.password',
  '*.secret',
  '*.authorization',
];

/** Lines that could not be written are kept up to this size; later ones are dropped. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** Operator log: one JSON object a line on standard error, which journald takes as it is. */
export function pinoLogger(
  level: 'debug' | 'info' | 'warn' | 'error',
  base: Readonly<Record<string, unknown>>,
): Logger {
  const destination = pino.destination({ dest: 2, sync: true, maxLength: WAITING_BYTES_MAX });
  // A full disk or a reader that went away costs log lines, never the daemon.
  destination.on('error', () => {});
  const logger = pino(
    {
      level,
      base: { ...base },
      redact: { paths: SECRETS, censor: '(hidden)' },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    destination,
  );
  return { log: (at, cell, message, facts = {}) => logger[at]({ cell, ...facts }, message) };
}
