import {
  type Clock,
  EdgeError,
  parseJson,
  pause,
  type ServiceHealth,
  type ToolImage,
  type VideoClip,
  withDeadline,
} from '../../contract/core.ts';

/** Ceilings of the services: encoded images, decoded films, words. */
export const IMAGE_CHARS_MAX = 20_000_000;
export const VIDEO_BYTES_MAX = 75_000_000;
export const PROMPT_CHARS_MAX = 20_000;
/** An answer is a film in base64, and little else. */
const ANSWER_BYTES_MAX = 128 * 1024 * 1024;
const SMALL_BYTES_MAX = 2 * 1024 * 1024;
const HEALTH_MS = 3_000;
/** Where a busy service names no time, and the longest that it may ask for, milliseconds. */
const BUSY_MS = 2_000;
const BUSY_MS_MAX = 30_000;
const MESSAGE_MAX = 400;

export type NimOptions = {
  /** Root of the service, without `/v1`. */
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly name: string;
  readonly runtime: 'generator' | 'reasoner';
  readonly clock: Clock;
};

type Call = { readonly deadlineMs: number; readonly signal: AbortSignal | undefined };

/**
 * The words that all Cosmos services have in common: health, metadata, one JSON request and one JSON answer. A request
 * that was not accepted (no connection, HTTP 429 or 503) is sent once more; one that was is never, however quiet the
 * service is: it may be at work, and generation is dear.
 */
export class NimClient {
  readonly #options: NimOptions;
  #checked = false;

  constructor(options: NimOptions) {
    this.#options = { ...options, url: options.url.replace(/\/+$/, '').replace(/\/v1$/, '') };
  }

  async health(): Promise<ServiceHealth> {
    const call = { deadlineMs: HEALTH_MS, signal: undefined };
    try {
      const { status } = await this.#ask('GET', '/v1/health/ready', call);
      if (status !== 200) return { ok: false, reason: `/v1/health/ready answers HTTP ${status}` };
      await this.#checkRuntime(call);
      return { ok: true, reason: '' };
    } catch (thrown) {
      return { ok: false, reason: (thrown as Error).message.slice(0, MESSAGE_MAX) };
    }
  }

  /** The answer of the service as JSON. */
  async post(path: string, body: unknown, call: Call): Promise<Readonly<Record<string, unknown>>> {
    const { clock, name } = this.#options;
    const until = clock.monotonicMs() + call.deadlineMs;
    if (call.signal?.aborted) throw this.#fault('run.cancelled', 'the call was cancelled');
    if (!this.#checked)
      await this.#checkRuntime({ ...call, deadlineMs: Math.min(HEALTH_MS, call.deadlineMs) });
    const text = JSON.stringify(body);
    for (let attempt = 1; ; attempt++) {
      const leftMs = until - clock.monotonicMs();
      const answer = await this.#ask('POST', path, { ...call, deadlineMs: leftMs }, text).catch(
        (thrown: unknown) => EdgeError.from(thrown, 'model.unavailable', path, name),
      );
      const again = attempt === 1 && mayBeAsked(answer) ? waitOf(answer) : undefined;
      if (again === undefined || clock.monotonicMs() + again >= until) {
        if (answer instanceof EdgeError) throw answer;
        return this.#read(answer);
      }
      await pause(clock, again, call.signal);
      if (call.signal?.aborted) throw this.#fault('run.cancelled', 'the call was cancelled');
    }
  }

  async get(path: string, call: Call): Promise<Readonly<Record<string, unknown>>> {
    return this.#read(await this.#ask('GET', path, call));
  }

  #read({ status, text }: Answer): Readonly<Record<string, unknown>> {
    if (status === 200) {
      try {
        const value: unknown = parseJson(text);
        if (typeof value === 'object' && value !== null && !Array.isArray(value))
          return value as Record<string, unknown>;
      } catch {
        // said below
      }
      throw this.#fault('model.failed', 'the answer of the service is not a JSON object');
    }
    const said = text.slice(0, MESSAGE_MAX).replaceAll(this.#options.apiKey ?? '\0', '…');
    const away = status === 429 || status === 503 || status === 404 || status === 401 || status === 403;
    const hint =
      status === 404
        ? 'a service has one runtime: generation uses /v1/infer, reasoning uses /v1/chat/completions'
        : status === 401 || status === 403
          ? 'look at cosmos.key_file'
          : '';
    throw this.#fault(away ? 'model.unavailable' : 'model.failed', `HTTP ${status}: ${said}`, hint);
  }

  /** `/v1/models` and health answer on both runtimes: a request for the wrong one would be an expensive 404. */
  async #checkRuntime(call: Call): Promise<void> {
    const { runtime } = this.#options;
    const answer = await this.#ask('GET', '/v1/metadata', call);
    if (answer.status === 404 || answer.status === 501) {
      // Older services have no such path.
      this.#checked = true;
      return;
    }
    const { model_type: is } = this.#read(answer);
    if (is !== undefined && is !== runtime)
      throw this.#fault('model.unavailable', `this is a ${String(is).slice(0, 40)}, not a ${runtime}`);
    this.#checked = true;
  }

  async #ask(method: 'GET' | 'POST', path: string, call: Call, body?: string): Promise<Answer> {
    const { url, apiKey, clock, name } = this.#options;
    if (call.deadlineMs <= 0)
      throw this.#fault('deadline.exceeded', 'the deadline passed before the request was sent');
    const abort = new AbortController();
    const signal = call.signal ? AbortSignal.any([call.signal, abort.signal]) : abort.signal;
    const bytesMax = path === '/v1/infer' ? ANSWER_BYTES_MAX : SMALL_BYTES_MAX;
    const work = send(`${url}${path}`, method, body, { apiKey, signal, bytesMax });
    try {
      return await withDeadline(clock, call.deadlineMs, cancellable(work, call.signal), path, name);
    } catch (thrown) {
      if (call.signal?.aborted) throw this.#fault('run.cancelled', 'the call was cancelled');
      if (thrown instanceof EdgeError) throw thrown;
      const { code, text } = networkFault(thrown);
      throw new EdgeError('model.unavailable', {
        operation: path,
        subject: name,
        message: `the connection failed: ${text}`,
        cause: new Error(code),
      });
    } finally {
      abort.abort();
      work.catch(() => {});
    }
  }

  #fault(
    code: 'model.unavailable' | 'model.failed' | 'deadline.exceeded' | 'run.cancelled',
    message: string,
    hint = '',
  ): EdgeError {
    return new EdgeError(code, { operation: 'ask', subject: this.#options.name, message, hint });
  }
}

type Answer = { readonly status: number; readonly text: string; readonly retryAfterMs: number | undefined };

async function send(
  url: string,
  method: string,
  body: string | undefined,
  { apiKey, signal, bytesMax }: { apiKey: string | undefined; signal: AbortSignal; bytesMax: number },
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    signal,
    redirect: 'manual',
    headers: {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    ...(body === undefined ? {} : { body }),
  });
  const parts: Uint8Array[] = [];
  let bytes = 0;
  if (response.body) {
    for await (const part of response.body) {
      bytes += part.byteLength;
      if (bytes > bytesMax)
        throw new EdgeError('model.failed', {
          operation: 'read answer',
          subject: url,
          message: `the answer is larger than ${bytesMax} bytes`,
        });
      parts.push(part);
    }
  }
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return {
    status: response.status,
    text: Buffer.concat(parts).toString('utf8'),
    retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined,
  };
}

/** It was not accepted: no server works on it. A connection that broke later may have left work behind. */
function mayBeAsked(answer: Answer | EdgeError): boolean {
  if (answer instanceof EdgeError) return (answer.cause as Error | undefined)?.message === 'ECONNREFUSED';
  return answer.status === 429 || answer.status === 503;
}

function waitOf(answer: Answer | EdgeError): number {
  const told = answer instanceof EdgeError ? undefined : answer.retryAfterMs;
  return Math.min(BUSY_MS_MAX, told ?? BUSY_MS);
}

function networkFault(thrown: unknown): { readonly code: string; readonly text: string } {
  let error: unknown = thrown;
  for (let depth = 0; depth < 5 && error instanceof Error; depth++) {
    const { code } = error as { readonly code?: unknown };
    if (typeof code === 'string') return { code, text: code };
    error = error instanceof AggregateError ? error.errors[0] : error.cause;
  }
  return { code: '', text: (thrown as Error).message };
}

/** Settles when the caller lets go, whatever the connection does. */
function cancellable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new Error('cancelled'));
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** An image or a film as a data URL. Throws `model.failed` for what no such service takes. */
export function dataUrl(media: ToolImage | VideoClip, subject: string): string {
  const url = `data:${media.mime};base64,${Buffer.from(media.data).toString('base64')}`;
  const tooLarge =
    media.mime === 'video/mp4' ? media.data.byteLength > VIDEO_BYTES_MAX : url.length > IMAGE_CHARS_MAX;
  if (!tooLarge) return url;
  throw new EdgeError('model.failed', {
    operation: 'send',
    subject,
    message: `${media.data.byteLength} bytes of ${media.mime} are above the limit of the service`,
    retryable: false,
  });
}

/** Words as a service takes them. */
export function checkedPrompt(prompt: string, subject: string): string {
  if (prompt.trim() !== '' && prompt.length <= PROMPT_CHARS_MAX) return prompt;
  throw new EdgeError('model.failed', {
    operation: 'send',
    subject,
    message: `a prompt has 1 to ${PROMPT_CHARS_MAX} characters`,
    retryable: false,
  });
}

/** The film of an answer: base64, raw or as a data URL, of an MP4 file. Throws `model.failed`. */
export function videoOf(answer: Readonly<Record<string, unknown>>, subject: string): VideoClip {
  const refuse = (message: string): never => {
    throw new EdgeError('model.failed', { operation: 'read answer', subject, message });
  };
  const { b64_video: told } = answer;
  if (typeof told !== 'string' || told === '') return refuse('the answer has no b64_video');
  // Blanks first: a pattern that allows them in two places can be made to try for hours.
  const text = (told.startsWith('data:') ? told.slice(told.indexOf(',') + 1) : told).replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return refuse('b64_video is not valid base64');
  const data = new Uint8Array(Buffer.from(text, 'base64'));
  if (data.byteLength > VIDEO_BYTES_MAX) return refuse(`a film of ${data.byteLength} bytes`);
  // ISO/IEC 14496-12: a file starts with a box of the type ftyp.
  if (Buffer.from(data.subarray(4, 8)).toString('latin1') !== 'ftyp')
    return refuse('b64_video is not an MP4 file');
  return { mime: 'video/mp4', data };
}
