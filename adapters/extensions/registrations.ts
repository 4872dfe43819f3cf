import {
  EdgeError,
  type ExtensionApi,
  type ExtensionContext,
  type ExtensionEvent,
  type ExtensionTool,
  parseJson,
} from '../../contract/core.ts';
import { isHook } from './hook-rules.ts';
import { notHere, sessionNow } from './session-scope.ts';

export type Handler = (event: never, context: ExtensionContext) => unknown;
export type Command = {
  readonly description: string;
  readonly handler: (args: string, context: ExtensionContext) => unknown;
};

/** Hooks of one extension that a session may hang on; more are a loop that registers. */
const HOOKS_MAX = 256;
const TOOLS_MAX = 64;
const ENTRY_BYTES_MAX = 64 * 1024;
const NAME = /^[a-z][a-z0-9_]{0,47}$/;

/** Methods of Pi's ExtensionAPI that have no meaning on a robot, or would act beside its gate. */
const REFUSED = new Set([
  ...['exec', 'sendMessage', 'setModel', 'setActiveTools', 'setThinkingLevel', 'getThinkingLevel'],
  ...['registerProvider', 'unregisterProvider', 'registerShortcut', 'registerFlag', 'getFlag'],
  ...['registerMessageRenderer', 'registerMarkdownTransformer', 'registerEntryRenderer'],
  ...[
    'setSessionName',
    'getSessionName',
    'setLabel',
    'getActiveTools',
    'getAllTools',
    'getCommands',
    'events',
  ],
]);

/** What an extension has registered. Its factory fills it; when that has returned, nothing more is added. */
export class Registrations {
  readonly hooks = new Map<ExtensionEvent, Set<Handler>>();
  readonly tools = new Map<string, ExtensionTool>();
  readonly commands = new Map<string, Command>();
  readonly #extension: string;
  #open = true;

  constructor(extension: string) {
    this.#extension = extension;
  }

  close(): void {
    this.#open = false;
  }

  /**
   * Pi's API as the extension sees it. Members that are refused throw when they are called, or, if they are
   * properties, when they are read.
   */
  api(): ExtensionApi {
    const extension = this.#extension;
    const api: ExtensionApi = {
      on: (event, handler) => this.#on(event, handler as Handler),
      registerTool: (tool) => this.#tool(tool),
      registerCommand: (name, command) => this.#command(name, command),
      sendUserMessage: (text, options) => {
        const session = sessionNow(extension, 'sendUserMessage');
        if (typeof text !== 'string' || text.length > 16_000)
          throw this.#wrong('sendUserMessage takes a text');
        session.say(text, options?.deliverAs === 'followUp' ? 'follow_up' : 'steer', extension);
      },
      appendEntry: (customType, data) => {
        const session = sessionNow(extension, 'appendEntry');
        const text = JSON.stringify(data ?? null);
        if (text === undefined || text.length > ENTRY_BYTES_MAX)
          throw this.#wrong('an entry is JSON of at most 64 KiB');
        session.doors.get(extension)?.appendEntry(`ext.${String(customType).slice(0, 64)}`, parseJson(text));
      },
    };
    return new Proxy(api, {
      get(target, name, receiver) {
        if (name === 'events') throw notHere('events', extension);
        if (typeof name !== 'string' || !REFUSED.has(name))
          return Reflect.get(target, name, receiver) as unknown;
        return () => {
          throw notHere(name, extension);
        };
      },
      set() {
        throw notHere('changing the API', extension);
      },
    });
  }

  #on(event: string, handler: Handler): () => void {
    this.#refuseLate('on');
    if (!isHook(event)) throw notHere(`on('${String(event).slice(0, 64)}')`, this.#extension);
    if (typeof handler !== 'function') throw this.#wrong(`the hook for ${event} is no function`);
    const all = this.hooks.get(event) ?? new Set();
    if (all.size >= HOOKS_MAX) throw this.#wrong(`more than ${HOOKS_MAX} hooks for ${event}`);
    // The same function twice are two hooks, as in Pi.
    const own: Handler = (body, context) => handler(body, context);
    this.hooks.set(event, all.add(own));
    return () => void all.delete(own);
  }

  #tool(tool: ExtensionTool): void {
    this.#refuseLate('registerTool');
    const { name, description, parameters, execute } = tool;
    if (!NAME.test(name)) throw this.#wrong(`the name of a tool is ${NAME.source}`);
    if (this.tools.has(name) || this.tools.size >= TOOLS_MAX)
      throw this.#wrong(`${name}: there twice, or one too many`);
    if (typeof description !== 'string' || description.length > 4_096)
      throw this.#wrong(`${name} has no description`);
    if (typeof parameters !== 'object' || parameters === null) throw this.#wrong(`${name} has no parameters`);
    if (typeof execute !== 'function') throw this.#wrong(`${name} has no execute`);
    this.tools.set(name, tool);
  }

  #command(
    name: string,
    command: { readonly description?: string; readonly handler: Command['handler'] },
  ): void {
    this.#refuseLate('registerCommand');
    if (!/^[a-z][a-z0-9_-]{0,47}$/.test(name))
      throw this.#wrong('the name of a command is lower-case letters');
    if (typeof command?.handler !== 'function') throw this.#wrong(`/${name} has no handler`);
    if (this.commands.has(name)) throw this.#wrong(`/${name} is there twice`);
    this.commands.set(name, {
      description: String(command.description ?? '').slice(0, 512),
      handler: (args, context) => command.handler(args, context),
    });
  }

  #refuseLate(method: string): void {
    if (!this.#open)
      throw this.#wrong(`${method} after the extension was loaded: its parts are declared once`);
  }

  #wrong(message: string): EdgeError {
    return new EdgeError('extension.failed', { operation: 'register', subject: this.#extension, message });
  }
}
