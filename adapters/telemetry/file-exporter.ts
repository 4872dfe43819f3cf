import { appendFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError, type SpanExporter, type TraceSpan } from '../../contract/core.ts';

/** Files that the quota is spread over: the oldest goes first. */
const FILES = 4;
const NAME = /^spans-(\d{8})\.jsonl$/;

/**
 * Spans as JSON lines in files `spans-<number>.jsonl`, for a robot without a network. All files together stay within
 * the quota. Not fsynced: the event log holds what matters, and spans can be folded from it again.
 */
export class FileExporter implements SpanExporter {
  readonly name = 'file';
  readonly #directory: string;
  readonly #quotaBytes: number;
  #last: Promise<void> = Promise.resolve();

  constructor(directory: string, quotaBytes: number) {
    this.#directory = directory;
    this.#quotaBytes = quotaBytes;
  }

  export(spans: readonly TraceSpan[]): Promise<void> {
    const written = this.#last.then(() => this.#write(spans));
    this.#last = written.catch(() => {});
    return written;
  }

  async close(): Promise<void> {
    await this.#last;
  }

  async #write(spans: readonly TraceSpan[]): Promise<void> {
    const text = spans.map((span) => `${JSON.stringify(span)}\n`).join('');
    const most = this.#quotaBytes / FILES;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const numbers = await this.#numbers();
      let number = numbers.at(-1) ?? 1;
      const size = await stat(this.#path(number)).then(
        (info) => info.size,
        () => 0,
      );
      if (size > 0 && size + Buffer.byteLength(text) > most) number++;
      for (const old of numbers.filter((n) => n <= number - FILES))
        await rm(this.#path(old), { force: true });
      // More at once than a file may hold: a quota drops the oldest.
      await appendFile(this.#path(number), Buffer.byteLength(text) > most ? lastLines(text, most) : text);
    } catch (cause) {
      throw new EdgeError('link.unreachable', {
        operation: 'write spans',
        subject: this.#directory,
        message: `${this.#directory}: ${(cause as Error).message}`,
        cause,
      });
    }
  }

  async #numbers(): Promise<number[]> {
    const names = await readdir(this.#directory);
    return names
      .flatMap((name) => (NAME.test(name) ? [Number(NAME.exec(name)![1])] : []))
      .sort((a, b) => a - b);
  }

  #path(number: number): string {
    return join(this.#directory, `spans-${String(number).padStart(8, '0')}.jsonl`);
  }
}

function lastLines(text: string, bytes: number): string {
  const lines = text.trimEnd().split('\n');
  let kept = '';
  for (let i = lines.length - 1; i >= 0; i--) {
    if (Buffer.byteLength(kept) + Buffer.byteLength(lines[i]!) + 1 > bytes) break;
    kept = `${lines[i]}\n${kept}`;
  }
  return kept;
}
