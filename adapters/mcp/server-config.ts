import type { SandboxedCommand } from '../../contract/index.ts';

/** How the calls of some tools of a server are treated. The first rule whose pattern fits counts. */
export type McpToolRule = {
  /** Names as the server gives them; `*` stands for anything. */
  readonly tools: readonly string[];
  readonly effect: 'read' | 'write' | 'actuate';
  readonly replay: 'never' | 'safe';
  readonly deadlineMs: number;
};

/** One foreign server, from the configuration. */
export type McpServerConfig = {
  readonly name: string;
  /** stdio: the program to start. `env` is its whole environment. */
  readonly command?: {
    readonly file: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly folder?: string;
    /** Makes what is started instead at each start; absent: it runs without a sandbox. Rejects where it cannot. */
    readonly sandboxed?: () => Promise<SandboxedCommand>;
  };
  /** Streamable HTTP. The token is read again at each request, so that it may be replaced. */
  readonly http?: {
    readonly url: string;
    readonly token?: () => string;
    readonly client?: { readonly id: string; readonly secret: () => string };
  };
  /** Applications that may use it; empty: none. */
  readonly apps: readonly string[];
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly rules: readonly McpToolRule[];
  /** Where no rule fits. */
  readonly deadlineMs: number;
  /** Size of one result without its images. */
  readonly resultBytesMax: number;
  /** Whether a new tool is accepted, or waits until a person allows it. */
  readonly trust: 'first_use' | 'manual';
  /** The answer to a server that wants to ask a person something: nothing, or the defaults it proposes itself. */
  readonly elicitation: 'refuse' | 'defaults';
  /** A server that was unused for this long is stopped; 0: never. */
  readonly idleMs: number;
};

/** `*` anywhere stands for anything. Linear: no regular expression is made of it. */
export function fitsPattern(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === name;
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > name.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}

export function ruleOf(config: McpServerConfig, tool: string): Omit<McpToolRule, 'tools'> {
  const rule = config.rules.find(({ tools }) => tools.some((pattern) => fitsPattern(pattern, tool)));
  return rule ?? { effect: 'write', replay: 'never', deadlineMs: config.deadlineMs };
}

/** Whether the configuration lets agents see a tool of this name. */
export function isListed(config: McpServerConfig, tool: string): boolean {
  const any = (patterns: readonly string[]) => patterns.some((pattern) => fitsPattern(pattern, tool));
  return any(config.allow) && !any(config.deny);
}
