import {
  type Application,
  type Checker,
  checker,
  EdgeError,
  type HookPoint,
  type KnownPerson,
  type PolicyContext,
  RUN_MESSAGE,
  type ToolSpec,
} from '../../../contract/index.ts';

/** One case of a test of policies: what somebody asks. What is left out, the configuration says. */
export type PolicyCase = {
  readonly point: HookPoint;
  readonly subject: string;
  readonly principal?: string | undefined;
  readonly tenant?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly origin?: PolicyContext['origin'] | undefined;
  /** A grant: its roles are those of the case that the principal does not have without it. */
  readonly grant?: string | undefined;
  /** The application whose run asks. */
  readonly app?: string | undefined;
  /** Arguments of a tool; for other questions as policies see them. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly about: Readonly<Record<string, string>>;
};

/** A tool as it is judged; its arguments are checked before. */
export type JudgedTool = { readonly effect: string; readonly args: Checker<unknown> };

/** What the daemon of a configuration knows when it is asked. */
export type CaseWorld = {
  readonly robot: string;
  readonly people: readonly KnownPerson[];
  /** Roles of those who come by MCP: `mcp.roles`. */
  readonly mcpRoles: readonly string[];
  /** Of runs. */
  readonly tools: ReadonlyMap<string, JudgedTool>;
  /** Of those who come by MCP, outside of any run. */
  readonly mcpTools: ReadonlyMap<string, JudgedTool>;
  /** Facts of a configured model, by its name. */
  readonly models: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  /** The application that serves an intent, and its parameters. */
  readonly intents: ReadonlyMap<string, { readonly app: string; readonly params: Checker<unknown> }>;
  readonly apps: ReadonlySet<string>;
  /** As which models are asked outside of any run. */
  readonly chat: { readonly intent: string; readonly app: string };
};

type Spec = Pick<ToolSpec, 'name' | 'effect' | 'input'>;

export function caseWorld({
  tools,
  mcpTools,
  apps,
  ...rest
}: Pick<CaseWorld, 'robot' | 'people' | 'mcpRoles' | 'models' | 'chat'> & {
  readonly tools: readonly Spec[];
  readonly mcpTools: readonly Spec[];
  readonly apps: readonly Application[];
}): CaseWorld {
  const judged = (specs: readonly Spec[]) =>
    new Map(specs.map(({ name, effect, input }) => [name, { effect, args: checker(input) }]));
  const intents = apps.flatMap(({ name, intents }) =>
    intents.map(({ type, params }) => [type, { app: name, params: checker(params) }] as const),
  );
  return {
    ...{ ...rest, tools: judged(tools), mcpTools: judged(mcpTools) },
    ...{ intents: new Map(intents), apps: new Set(apps.map(({ name }) => name)) },
  };
}

/** A message to a run: judged as an intent, without a type of its own. */
export function isMessage({ point, subject }: Pick<PolicyCase, 'point' | 'subject'>): boolean {
  return point === 'intent' && subject.startsWith(RUN_MESSAGE);
}

/** Both together; a case cannot state another value than the daemon would. */
export function agreed<T>(
  known: Readonly<Record<string, T>>,
  given: Readonly<Record<string, T>>,
  what: string,
): Readonly<Record<string, T>> {
  for (const [key, value] of Object.entries(given))
    if (Object.hasOwn(known, key) && known[key] !== value)
      throw wrong(what, `${key} is ${JSON.stringify(known[key])} here, not ${JSON.stringify(value)}`);
  return { ...known, ...given };
}

export function wrong(subject: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'policy test',
    subject,
    message: `${subject}: ${message}`,
  });
}
