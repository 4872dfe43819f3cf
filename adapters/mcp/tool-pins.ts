import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { copyFile, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canonicalJson, EdgeError, parseJson } from '../../contract/index.ts';

/** The description of one tool by its server, as received. */
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
 * The allowed tools of one server: the hashes of their definitions, in a file. A changed definition is
 * not accepted. If the file cannot be read nothing is trusted: everything waits.
 */
export class ToolPins {
  readonly #path: string;
  #tools: ReadonlyMap<string, Pin> = new Map();
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

  /** Takes effect once it is durable; rejects with `log.failed`, and then nothing has changed. */
  async set(pins: readonly Pin[]): Promise<void> {
    if (pins.length === 0) return;
    const written = this.#writing.then(async () => {
      const tools = new Map(this.#tools);
      for (const pin of pins) tools.set(pin.definition.name, pin);
      await this.#write(tools);
      this.#tools = tools;
    });
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
      const { version, tools } = parseJson(text) as File;
      if (version !== 1) return false;
      const known = new Map<string, Pin>();
      for (const pin of Object.values(tools)) {
        if (hashOf(pin.definition) !== pin.sha256) return false;
        known.set(pin.definition.name, pin);
      }
      this.#tools = known;
      return true;
    } catch {
      return false;
    }
  }

  async #write(tools: ReadonlyMap<string, Pin>): Promise<void> {
    const file: File = { version: 1, tools: Object.fromEntries(tools) };
    const draft = `${this.#path}.tmp`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      const handle = await open(draft, 'w', 0o600);
      try {
        await handle.writeFile(JSON.stringify(file));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await this.#putInPlace(draft);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw EdgeError.from(error, 'log.failed', 'pin tools', this.#path);
    }
  }

  /**
   * Where the new file cannot be made durable, the old one comes back: a change that is reported as failed did not
   * happen.
   */
  async #putInPlace(draft: string): Promise<void> {
    const before = `${this.#path}.before`;
    const kept = await copyFile(this.#path, before).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return false;
        throw error;
      },
    );
    const folder = await open(dirname(this.#path), 'r');
    try {
      await rename(draft, this.#path);
      await folder.sync().catch(async (error: unknown) => {
        await (kept ? rename(before, this.#path) : rm(this.#path));
        throw error;
      });
    } finally {
      await folder.close();
      await rm(before, { force: true }).catch(() => {});
    }
  }
}
