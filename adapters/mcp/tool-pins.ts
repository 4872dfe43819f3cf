import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canonicalJson, EdgeError } from '../../contract/index.ts';

/** What a server says of one tool, as it came. */
export type ToolDefinition = {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: unknown;
  readonly outputSchema?: unknown;
};

export type Pin = {
  readonly sha256: string;
  readonly definition: ToolDefinition;
  /** `waiting`: a person has to allow it first. */
  readonly state: 'allowed' | 'waiting';
};

export function hashOf(definition: ToolDefinition): string {
  return createHash('sha256').update(canonicalJson(definition)).digest('hex');
}

type File = { readonly version: 1; readonly tools: Readonly<Record<string, Pin>> };

/**
 * What was allowed of the tools of one server: their definitions by hash, in a file. A server that says something
 * else later does not get it past this. A file that cannot be read is no reason to trust: everything waits then.
 */
export class ToolPins {
  readonly #path: string;
  readonly #tools = new Map<string, Pin>();
  #writing: Promise<void> = Promise.resolve();
  /** The file was there and could not be read. */
  readonly damaged: boolean;

  constructor(dataDir: string, server: string) {
    this.#path = join(dataDir, 'mcp', `${server}.json`);
    this.damaged = !this.#load();
  }

  get(tool: string): Pin | undefined {
    return this.#tools.get(tool);
  }

  all(): readonly Pin[] {
    return [...this.#tools.values()];
  }

  /** Settles when it is durable; rejects with `log.failed`. */
  async set(pins: readonly Pin[]): Promise<void> {
    if (pins.length === 0) return;
    for (const pin of pins) this.#tools.set(pin.definition.name, pin);
    const written = this.#writing.then(() => this.#write());
    this.#writing = written.catch(() => {});
    await written;
  }

  #load(): boolean {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT';
    }
    try {
      const { version, tools } = JSON.parse(text) as File;
      if (version !== 1) return false;
      for (const pin of Object.values(tools)) {
        if (hashOf(pin.definition) !== pin.sha256) return false;
        this.#tools.set(pin.definition.name, pin);
      }
      return true;
    } catch {
      this.#tools.clear();
      return false;
    }
  }

  async #write(): Promise<void> {
    const file: File = { version: 1, tools: Object.fromEntries(this.#tools) };
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      const draft = await open(`${this.#path}.tmp`, 'w', 0o600);
      try {
        await draft.writeFile(JSON.stringify(file));
        await draft.sync();
      } finally {
        await draft.close();
      }
      await rename(`${this.#path}.tmp`, this.#path);
      const folder = await open(dirname(this.#path), 'r');
      await folder.sync().finally(() => folder.close());
    } catch (error) {
      throw EdgeError.from(error, 'log.failed', 'pin tools', this.#path);
    }
  }
}
