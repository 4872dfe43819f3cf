import {
  type Checker,
  checker,
  EdgeError,
  LIMITS,
  type McpToolView,
  type ToolSpec,
} from '../../contract/index.ts';
import { foreignText, markedDescription } from './foreign-text.ts';
import { isListed, type McpServerConfig, ruleOf } from './server-config.ts';
import { hashOf, type Pin, type ToolDefinition, type ToolPins } from './tool-pins.ts';
import { lied } from './tool-result.ts';
import { vetSchema } from './tool-schema.ts';

/** A tool that agents may call. */
export type ShelfTool = {
  readonly spec: ToolSpec;
  readonly sha256: string;
  readonly definition: ToolDefinition;
  readonly output: Checker<unknown> | undefined;
};

type Entry = {
  readonly view: McpToolView;
  readonly definition: ToolDefinition;
  readonly tool: ShelfTool | undefined;
};

/** What came of a listing. */
export type Taken = {
  /** Reports for people. */
  readonly news: readonly McpToolView[];
  /** Why new tools could not be pinned: they wait until a listing is taken whose pins are durable. */
  readonly unpinned: EdgeError | undefined;
};

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
/**
 * Definitions that are kept of one server, also of tools that it offers no longer; forgetting one would trust it again.
 */
const PINS_MAX = 4 * LIMITS.MCP_TOOLS_MAX;
/** What models can name. */
const NAME_MAX = 64;

/**
 * The tools of one server: those it offers, those accepted, and why the rest is not. A definition is used as it
 * was pinned; a changed one is not offered until a person allows it, or the server returns to the old one.
 */
export class ToolShelf {
  readonly #config: McpServerConfig;
  readonly #pins: ToolPins;
  #entries = new Map<string, Entry>();
  #unpinned: EdgeError | undefined;

  /** Tools that were allowed before are available at once, before the server is started. */
  constructor(config: McpServerConfig, pins: ToolPins) {
    this.#config = config;
    this.#pins = pins;
    this.#build(pins.all().map((pin) => pin.definition));
  }

  /** False also if a part of the listing has to be taken again. */
  get known(): boolean {
    return this.#entries.size > 0 && this.#unpinned === undefined;
  }

  views(): readonly McpToolView[] {
    return [...this.#entries.values()].map(({ view }) => view);
  }

  tools(): readonly ShelfTool[] {
    return [...this.#entries.values()].flatMap(({ tool }) => tool ?? []);
  }

  /** Throws `mcp.failed` if a tool has changed since the caller saw it. */
  confirm({ definition: { name }, sha256 }: ShelfTool): void {
    const entry = this.#entries.get(name);
    if (entry?.tool?.sha256 === sha256) return;
    throw this.#notOffered(name, entry?.view.reason || 'the server offers it no longer as it did');
  }

  /**
   * Takes a listing: new tools are pinned, or wait; changed tools are withdrawn at once. Settles when that is durable.
   * If it cannot be made durable, unpinned tools wait and the rest stays.
   */
  async take(definitions: readonly ToolDefinition[]): Promise<Taken> {
    const before = this.#entries;
    const listed = definitions.slice(0, LIMITS.MCP_TOOLS_MAX);
    const fresh: ToolDefinition[] = [];
    for (const one of listed) {
      // Hundreds of schemas take long to compile: other work of this thread runs between them.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#view(one).state === 'offered' && this.#pins.get(one.name) === undefined) fresh.push(one);
    }
    // Before waiting for the disk, which may be full: tools that differ from their pin are no longer called.
    this.#build(listed);
    const room = Math.max(0, PINS_MAX - this.#pins.all().length);
    this.#unpinned = await this.#pinned(fresh.slice(0, room));
    this.#build(listed);
    const news = this.views().filter(
      ({ tool, state, reason }) =>
        state !== 'offered' && state !== 'denied' && before.get(tool)?.view.reason !== reason,
    );
    return { news, unpinned: this.#unpinned };
  }

  async #pinned(fresh: readonly ToolDefinition[]): Promise<EdgeError | undefined> {
    const trusted = this.#config.trust === 'first_use' && !this.#pins.damaged;
    const state = trusted ? 'allowed' : 'waiting';
    try {
      await this.#pins.set(
        fresh.map((definition): Pin => ({ sha256: hashOf(definition), definition, state })),
      );
      return undefined;
    } catch (thrown) {
      return EdgeError.from(thrown, 'log.failed', 'pin tools', `mcp.${this.#config.name}`);
    }
  }

  /** Pins what the server says now. False where there is no such tool. */
  async allow(name: string | undefined): Promise<boolean> {
    const meant = [...this.#entries.values()].filter(({ view }) =>
      name === undefined ? view.state === 'changed' || view.state === 'waiting' : view.tool === name,
    );
    if (name !== undefined && meant.length === 0) return false;
    await this.#pins.set(
      meant
        .filter(({ view }) => view.state !== 'refused')
        .map(({ definition, view }): Pin => ({ sha256: view.sha256, definition, state: 'allowed' })),
    );
    this.#build([...this.#entries.values()].map(({ definition }) => definition));
    return true;
  }

  #build(definitions: readonly ToolDefinition[]): void {
    const entries = new Map<string, Entry>();
    const taken = new Map<string, string>();
    for (const definition of definitions) {
      const name = foreignText(String(definition.name), 128);
      const same = entries.get(name);
      const view = this.#judge(definition, taken);
      if (same) {
        const reason = 'the server lists it twice';
        entries.set(name, {
          definition,
          tool: undefined,
          view: { ...view, name: undefined, state: 'refused', reason },
        });
        continue;
      }
      entries.set(name, {
        definition,
        view,
        tool: view.state === 'offered' ? this.#shelved(definition, view) : undefined,
      });
    }
    this.#entries = entries;
  }

  /** As configured, and as pinned. */
  #judge(definition: ToolDefinition, taken: Map<string, string>): McpToolView {
    const view = this.#view(definition);
    if (view.state !== 'offered') return view;
    const asModel = view.name!.replaceAll('.', '_');
    const other = taken.get(asModel);
    if (other !== undefined && other !== definition.name)
      return {
        ...view,
        name: undefined,
        state: 'refused',
        reason: `its name is too close to that of ${other}`,
      };
    taken.set(asModel, definition.name);
    const pin = this.#pins.get(definition.name);
    if (pin && pin.sha256 !== view.sha256)
      return {
        ...view,
        state: 'changed',
        reason: `what the server says of it changed: ${differences(pin.definition, definition)}`,
      };
    if (pin?.state !== 'allowed') {
      const reason = this.#whyWaiting(pin);
      return { ...view, state: 'waiting', reason };
    }
    return view;
  }

  #whyWaiting(pin: Pin | undefined): string {
    if (pin === undefined && this.#pins.all().length >= PINS_MAX)
      return `the server has offered ${PINS_MAX} other tools already: a person has to allow this one`;
    if (pin === undefined && this.#unpinned) return 'it cannot be pinned: what is allowed cannot be written';
    return 'a person has to allow it first';
  }

  /** The part of the verdict that does not depend on permissions. */
  #view(definition: ToolDefinition): McpToolView {
    const { config } = { config: this.#config };
    const tool = foreignText(String(definition.name), 128);
    const name = `mcp.${config.name}.${tool}`;
    const { effect } = ruleOf(config, tool);
    const of = (state: McpToolView['state'], reason: string): McpToolView => ({
      tool,
      name: state === 'refused' ? undefined : name,
      state,
      reason,
      effect,
      sha256: safeHash(definition),
    });
    if (tool !== definition.name || !NAME.test(tool)) return of('refused', 'its name is not taken');
    if (name.length > NAME_MAX)
      return of('refused', `${name} is longer than ${NAME_MAX} characters: models cannot name it`);
    if (!isListed(config, tool)) return of('denied', 'the configuration does not allow it');
    const input = vetSchema(definition.inputSchema, 'input');
    if (!input.ok) return of('refused', `its schema is not taken: ${input.reason}`);
    const output =
      definition.outputSchema === undefined ? undefined : vetSchema(definition.outputSchema, 'output');
    if (output && !output.ok) return of('refused', `the schema of its result is not taken: ${output.reason}`);
    return of('offered', '');
  }

  #shelved(definition: ToolDefinition, view: McpToolView): ShelfTool {
    const known = this.#entries.get(view.tool);
    // The same definition keeps its compiled schema.
    if (known?.tool && known.view.sha256 === view.sha256) return known.tool;
    const { name: server } = this.#config;
    const input = vetSchema(definition.inputSchema, 'input');
    const output =
      definition.outputSchema === undefined ? undefined : vetSchema(definition.outputSchema, 'output');
    if (!input.ok || (output && !output.ok)) throw this.#notOffered(view.tool, 'its schema is not taken');
    const { effect, replay, deadlineMs } = ruleOf(this.#config, view.tool);
    return {
      definition,
      sha256: view.sha256,
      output: output?.ok ? checker(output.schema) : undefined,
      spec: {
        name: view.name!,
        description: markedDescription(
          server,
          String(definition.description),
          LIMITS.MCP_DESCRIPTION_CHARS_MAX,
        ),
        input: input.schema,
        effect,
        replay,
        deadlineMs,
        origin: 'mcp',
      },
    };
  }

  #notOffered(tool: string, reason: string): EdgeError {
    return lied(`mcp.${this.#config.name}.${tool}`, reason);
  }
}

function differences(before: ToolDefinition, after: ToolDefinition): string {
  const keys = ['description', 'inputSchema', 'outputSchema'] as const;
  const text = (value: unknown) => JSON.stringify(value) ?? '';
  return keys.filter((key) => text(before[key]) !== text(after[key])).join(', ') || 'its order';
}

function safeHash(definition: ToolDefinition): string {
  try {
    return hashOf(definition);
  } catch {
    return '';
  }
}
