import { EdgeError } from '../../contract/core.ts';

/** A model that a server offers; what the server does not say is undefined. Context in tokens. */
export type FoundModel = {
  readonly id: string;
  readonly context: number | undefined;
  readonly vision: boolean | undefined;
  readonly tools: boolean | undefined;
};

const BODY_BYTES_MAX = 4 * 1024 * 1024;
const FOUND_MAX = 1_000;

/**
 * The models of a server: `/api/tags` of Ollama with what `/api/show` says of each, else `/v1/models`. Rejects with
 * `model.unavailable` where no server answers or the answer is not a list.
 */
export async function discover(
  url: string,
  key: string | undefined,
  timeoutMs: number,
): Promise<readonly FoundModel[]> {
  const base = url.replace(/\/+$/, '');
  const ask = (path: string, body?: unknown) => asked(path, key, timeoutMs, body);
  const root = base.replace(/\/v\d+$/, '');
  const tags = await ask(`${root}/api/tags`).catch((thrown: unknown) => {
    // Who does not answer at all has no other list either.
    if (thrown instanceof EdgeError && thrown.retryable) throw thrown;
    return undefined;
  });
  const names = listOf(tags, 'models').flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
  if (names.length > 0) return await Promise.all(names.map((name) => ofOllama(name, root, ask)));
  return listOf(await ask(`${base}/models`), 'data').flatMap(({ id, max_model_len, meta }) => {
    if (typeof id !== 'string') return [];
    const trained = (meta as { n_ctx?: unknown; n_ctx_train?: unknown } | undefined) ?? {};
    const context = [max_model_len, trained.n_ctx, trained.n_ctx_train].find(isCount);
    return [{ id, context, vision: undefined, tools: undefined }];
  });
}

async function ofOllama(
  name: string,
  root: string,
  ask: (path: string, body: unknown) => Promise<unknown>,
): Promise<FoundModel> {
  const shown = (await ask(`${root}/api/show`, { model: name }).catch(() => ({}))) as {
    readonly capabilities?: unknown;
    readonly model_info?: Readonly<Record<string, unknown>>;
  };
  const can = Array.isArray(shown.capabilities) ? (shown.capabilities as unknown[]) : undefined;
  const length = Object.entries(shown.model_info ?? {}).find(([key]) => key.endsWith('.context_length'))?.[1];
  return {
    id: name,
    context: isCount(length) ? length : undefined,
    vision: can?.includes('vision'),
    tools: can?.includes('tools'),
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0;
}

function listOf(body: unknown, key: string): readonly Record<string, unknown>[] {
  const list = (body as Record<string, unknown> | undefined)?.[key];
  if (!Array.isArray(list)) return [];
  return list.slice(0, FOUND_MAX).filter((one) => typeof one === 'object' && one !== null);
}

async function asked(
  url: string,
  key: string | undefined,
  timeoutMs: number,
  body?: unknown,
): Promise<unknown> {
  const fault = (message: string, retryable: boolean, hint: string, cause?: unknown) =>
    new EdgeError('model.unavailable', {
      operation: 'find models',
      subject: url,
      message,
      retryable,
      hint,
      cause,
    });
  let response: Response;
  try {
    response = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
  } catch (thrown) {
    const { cause, message } = thrown as Error & { cause?: { code?: string } };
    const why = cause?.code ?? message;
    throw fault(`${url} does not answer: ${why}`, true, 'is the server started, and is --url right?', thrown);
  }
  if (response.status === 401 || response.status === 403)
    throw fault(
      `${url} wants a key (HTTP ${response.status})`,
      false,
      'give one: --key-stdin, --key-env or --key-file',
    );
  if (!response.ok) throw fault(`${url} answers HTTP ${response.status}`, false, 'is --url right?');
  const text = await limited(response);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fault(`${url} answers no JSON`, false, 'is --url right? it ends in /v1 for most servers', cause);
  }
}

async function limited(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > BODY_BYTES_MAX) break;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
