import OpenAI from 'openai';
import { EdgeError, type ModelPatience } from '../../contract/core.ts';

/** A server with a longer `retry-after` than this counts as down, milliseconds. */
const RETRY_AFTER_MS_MAX = 3_600_000;
const MESSAGE_MAX = 400;

/** The fault of a request as an EdgeError. `key` never appears in it. */
export function faultOf(thrown: unknown, subject: string, key: string | undefined): EdgeError {
  const own = ownFault(thrown);
  if (own) return own;
  const message = clean(thrown, key);
  const details = { operation: 'complete', subject, cause: undefined as unknown };
  if (thrown instanceof OpenAI.APIConnectionError || isNetwork(thrown)) {
    const { text, hint } = network(thrown);
    return new EdgeError('model.unavailable', { ...details, message: text || message, hint });
  }
  if (thrown instanceof OpenAI.APIError && typeof thrown.status === 'number') {
    const { status } = thrown;
    const busy = status === 429 || status === 408 || status >= 500;
    const patience = busy ? retryAfter(thrown.headers) : undefined;
    const code = busy || [401, 402, 403, 404].includes(status) ? 'model.unavailable' : 'model.failed';
    return new EdgeError(code, {
      ...details,
      message: `HTTP ${status}: ${message}`.slice(0, MESSAGE_MAX),
      hint: status === 401 || status === 403 ? 'look at api_key_file of this model' : '',
      retryable: busy,
      cause: patience,
    });
  }
  const text = thrown instanceof SyntaxError ? 'the server sent an event that is no JSON' : message;
  return new EdgeError('model.failed', { ...details, message: text });
}

/** An `EdgeError` may come back wrapped by the client or by fetch. */
function ownFault(thrown: unknown): EdgeError | undefined {
  let error: unknown = thrown;
  for (let depth = 0; depth < 5 && error instanceof Error; depth++) {
    if (error instanceof EdgeError) return error;
    error = error.cause;
  }
  return undefined;
}

function isNetwork(thrown: unknown): boolean {
  return thrown instanceof TypeError && /terminated|fetch failed|network/i.test(thrown.message);
}

/** The system's code for a broken connection is some causes deep. */
function network(thrown: unknown): { text: string; hint: string } {
  let error: unknown = thrown;
  let code = '';
  let text = '';
  for (let depth = 0; depth < 6 && error instanceof Error; depth++) {
    const own = (error as { code?: unknown }).code;
    if (typeof own === 'string') code = own;
    if (error.message !== '') text = error.message;
    error = error instanceof AggregateError ? error.errors[0] : error.cause;
  }
  const tls = /CERT|SSL|TLS|SELF_SIGNED|ALTNAME|VERIFY/.test(code);
  return {
    text: `the connection failed: ${code === '' ? text : code}`.slice(0, MESSAGE_MAX),
    hint: tls ? 'name the authority of its certificate in NODE_EXTRA_CA_CERTS' : '',
  };
}

/** `retry-after` in seconds or as a date; dates are left to the breaker's own times. */
function retryAfter(headers: Headers | undefined): ModelPatience | undefined {
  const ms = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  const seconds = Number(headers?.get('retry-after') ?? Number.NaN);
  const told = Number.isFinite(ms) ? ms : seconds * 1_000;
  return Number.isFinite(told) && told > 0 ? { retryAfterMs: Math.min(told, RETRY_AFTER_MS_MAX) } : undefined;
}

function clean(thrown: unknown, key: string | undefined): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const safe = key === undefined || key === '' ? message : message.replaceAll(key, '…');
  return safe.slice(0, MESSAGE_MAX);
}
