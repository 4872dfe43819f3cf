import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { type Clock, EdgeError, withDeadline } from '../../contract/core.ts';
import { CODEBASE_VERSION, WORK } from './layout.ts';

/** One request of a few kilobytes, and one part of a file, milliseconds. */
const REQUEST_MS = 60_000;
const PART_MS = 600_000;
const CARD = 'README.md';
/** The hub looks at this much of a file to decide how it is to be uploaded, bytes. */
const SAMPLE_BYTES = 512;
/** What the hub said to a refusal, in an error. */
const ANSWER_CHARS_MAX = 300;
/** Modes and addresses of all files of a dataset. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export type HubFile = { readonly path: string; readonly bytes: number };

export type HubOptions = {
  /** For example `https://huggingface.co`. */
  readonly url: string;
  readonly token: string;
  /** `owner/name` */
  readonly repo: string;
  readonly revision: string;
  readonly isPrivate: boolean;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly onFile?: (file: HubFile) => void;
};

export type Pushed = { readonly files: number; readonly bytes: number; readonly commit: string };

/** The files of a dataset that are pushed: all but our working folder and hidden ones. */
export async function datasetFiles(root: string): Promise<HubFile[]> {
  const found: HubFile[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = relative(root, join(entry.parentPath, entry.name)).split(sep).join('/');
    if (
      !entry.isFile() ||
      path.startsWith(`${WORK}/`) ||
      path.split('/').some((part) => part.startsWith('.'))
    )
      continue;
    found.push({ path, bytes: (await stat(join(root, path))).size });
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Pushes a dataset as one commit, by the hub's HTTP interface: the repository is made where it is missing, files the
 * hub wants as large go to its store by hash (what it has is not sent again), then one commit names all, and the tag of
 * the format is set, by which LeRobot finds a revision it can read. Rejects with `tool.failed`, `deadline.exceeded`.
 */
export async function pushDataset(root: string, options: HubOptions): Promise<Pushed> {
  const hub = new Hub(options);
  const files = await datasetFiles(root);
  await hub.ensureRepository();
  const large = await hub.largeFiles(root, files);
  const lines: unknown[] = [
    { key: 'header', value: { summary: 'Dataset exported by Auraison Edge', description: '' } },
  ];
  for (const file of files) {
    options.signal?.throwIfAborted();
    const path = join(root, file.path);
    if (large.has(file.path)) {
      const oid = await sha256Of(path);
      await hub.sendLarge(path, oid, file.bytes);
      lines.push({ key: 'lfsFile', value: { path: file.path, algo: 'sha256', oid, size: file.bytes } });
    } else {
      const content = (await readPart(path, 0, file.bytes)).toString('base64');
      lines.push({ key: 'file', value: { path: file.path, content, encoding: 'base64' } });
    }
    options.onFile?.(file);
  }
  if (!files.some(({ path }) => path === CARD)) {
    const content = Buffer.from(cardText(options.repo)).toString('base64');
    lines.push({ key: 'file', value: { path: CARD, content, encoding: 'base64' } });
  }
  const commit = await hub.commit(lines);
  await hub.tag(CODEBASE_VERSION);
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), commit };
}

/**
 * What the hub shows of a dataset, and by what LeRobot's tools find it; one that lies in the folder is not replaced.
 */
function cardText(repo: string): string {
  return [
    '---',
    'task_categories: [robotics]',
    'tags: [LeRobot]',
    'configs:',
    '  - config_name: default',
    '    data_files: data/*/*.parquet',
    '---',
    '',
    `# ${repo}`,
    '',
    'A LeRobotDataset v3, exported from recordings of a robot by Auraison Edge.',
    '',
  ].join('\n');
}

type Answer = Pick<Response, 'ok' | 'status' | 'headers'> & { readonly text: string };

/** Throws for an answer that is longer than any that is expected. */
async function whole({ ok, status, headers, body }: Response): Promise<Answer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.byteLength;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`its answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    pieces.push(piece);
  }
  return { ok, status, headers, text: Buffer.concat(pieces).toString('utf8') };
}

type Action = { readonly href: string; readonly header?: Readonly<Record<string, string>> };

class Hub {
  readonly #options: HubOptions;

  constructor(options: HubOptions) {
    this.#options = options;
    if (/^[\w.-]{1,96}\/[\w.-]{1,96}$/.test(options.repo)) return;
    throw this.#fault(`${options.repo}: owner/name expected`);
  }

  async ensureRepository(): Promise<void> {
    const { repo, isPrivate } = this.#options;
    const [organization, name] = repo.split('/');
    const body = { type: 'dataset', name, organization, private: isPrivate };
    // 409: it is there already.
    await this.#ask('POST', '/api/repos/create', body, [409]);
  }

  async largeFiles(root: string, files: readonly HubFile[]): Promise<ReadonlySet<string>> {
    const samples = await Promise.all(
      files.map(async ({ path, bytes }) => {
        const sample = await readPart(join(root, path), 0, Math.min(SAMPLE_BYTES, bytes));
        return { path, size: bytes, sample: sample.toString('base64') };
      }),
    );
    const answer = (await this.#ask('POST', `${this.#api()}/preupload/${this.#revision()}`, {
      files: samples,
    })) as {
      files?: readonly { path: string; uploadMode: string }[];
    };
    return new Set(
      (answer.files ?? []).filter(({ uploadMode }) => uploadMode === 'lfs').map(({ path }) => path),
    );
  }

  async sendLarge(path: string, oid: string, size: number): Promise<void> {
    const { repo, revision } = this.#options;
    const answer = (await this.#ask(
      'POST',
      `/datasets/${repo}.git/info/lfs/objects/batch`,
      {
        operation: 'upload',
        transfers: ['basic', 'multipart'],
        objects: [{ oid, size }],
        hash_algo: 'sha256',
        ref: { name: revision },
      },
      [],
      'application/vnd.git-lfs+json',
    )) as {
      objects?: readonly {
        error?: { message?: string };
        actions?: { upload?: Action; verify?: Action };
      }[];
    };
    const object = answer.objects?.[0];
    if (!object || object.error)
      throw this.#fault(`${path}: ${object?.error?.message ?? 'no answer about it'}`);
    const upload = object.actions?.upload;
    if (!upload) return; // the store has it
    if (upload.header?.['chunk_size']) await this.#sendParts(path, oid, size, upload);
    else await this.#put(upload.href, await readPart(path, 0, size), upload.header);
    if (object.actions?.verify) await this.#ask('POST', object.actions.verify.href, { oid, size });
  }

  async commit(lines: readonly unknown[]): Promise<string> {
    const body = lines.map((line) => JSON.stringify(line)).join('\n');
    const answer = (await this.#send('POST', `${this.#api()}/commit/${this.#revision()}`, body, {
      'content-type': 'application/x-ndjson',
    })) as { commitOid?: string };
    return answer.commitOid ?? '';
  }

  /** A tag of an older push goes; LeRobot's own push does the same. */
  async tag(name: string): Promise<void> {
    await this.#ask('DELETE', `${this.#api()}/tag/${name}`, undefined, [404]);
    await this.#ask('POST', `${this.#api()}/tag/${this.#revision()}`, { tag: name });
  }

  async #sendParts(path: string, oid: string, size: number, { href, header = {} }: Action): Promise<void> {
    const partBytes = Number(header['chunk_size']);
    const urls = Object.entries(header)
      .filter(([key]) => /^\d+$/.test(key))
      .sort(([a], [b]) => Number(a) - Number(b));
    if (!(partBytes > 0) || urls.length !== Math.ceil(size / partBytes))
      throw this.#fault(`${path}: ${urls.length} addresses for parts of ${partBytes} bytes`);
    const parts: { partNumber: number; etag: string }[] = [];
    for (const [i, [number, url]] of urls.entries()) {
      const from = i * partBytes;
      const answer = await this.#put(url, await readPart(path, from, Math.min(partBytes, size - from)));
      parts.push({ partNumber: Number(number), etag: answer.headers.get('etag') ?? '' });
    }
    await this.#ask('POST', href, { oid, parts });
  }

  /** To a store that the hub named: our token is not for it. */
  async #put(url: string, bytes: Buffer, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#fetch(
      url,
      { method: 'PUT', body: new Uint8Array(bytes), headers: { ...headers } },
      PART_MS,
      [],
    );
  }

  #ask(method: string, path: string, body: unknown, also: readonly number[] = [], type = 'application/json') {
    return this.#send(
      method,
      path,
      body === undefined ? undefined : JSON.stringify(body),
      { accept: type, 'content-type': type },
      also,
    );
  }

  async #send(
    method: string,
    path: string,
    body: string | undefined,
    headers: Readonly<Record<string, string>>,
    also: readonly number[] = [],
  ): Promise<unknown> {
    const { url, token } = this.#options;
    const target = new URL(path, url);
    const isHub = target.origin === new URL(url).origin;
    const { text } = await this.#fetch(
      target.href,
      {
        method,
        headers: { ...headers, ...(isHub ? { authorization: `Bearer ${token}` } : {}) },
        ...(body === undefined ? {} : { body }),
      },
      REQUEST_MS,
      also,
    );
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return {};
    }
  }

  /** The answer to its last byte: one that starts and never ends is late as well. */
  async #fetch(url: string, init: RequestInit, ms: number, also: readonly number[]): Promise<Answer> {
    const { clock, signal } = this.#options;
    const abort = new AbortController();
    const both = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal;
    const { origin, pathname } = new URL(url);
    let answer: Answer;
    try {
      const asked = fetch(url, { ...init, signal: both }).then(whole);
      answer = await withDeadline(clock, ms, asked, 'push dataset', `${origin}${pathname}`);
    } catch (error) {
      abort.abort();
      if (error instanceof EdgeError || signal?.aborted) throw error;
      const { cause, message } = error as Error & { cause?: Error };
      throw this.#fault(`${origin} does not answer: ${cause?.message ?? message}`, true);
    }
    if (answer.ok || also.includes(answer.status)) return answer;
    const said = answer.text.slice(0, ANSWER_CHARS_MAX);
    throw this.#fault(`${init.method} ${origin}${pathname}: ${answer.status} ${said}`, answer.status >= 500);
  }

  #api(): string {
    return `/api/datasets/${this.#options.repo}`;
  }

  #revision(): string {
    return encodeURIComponent(this.#options.revision);
  }

  #fault(message: string, retryable = false): EdgeError {
    const { repo } = this.#options;
    return new EdgeError('tool.failed', { operation: 'push dataset', subject: repo, message, retryable });
  }
}

async function readPart(path: string, from: number, length: number): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await handle.read(buffer, 0, length, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest('hex');
}
