import type { AgentCard, Message, StreamResponse, Task } from '@a2a-js/sdk';
import { A2A_LIMITS, type Clock, EdgeError, withDeadline } from '../../../contract/core.ts';
import { guardedFetch } from './guarded-fetch.ts';
import { TOOLS_EXTENSION } from './tool-turns.ts';

/** A remote agent of the protocol. Requests end with `signal`, and reject with what the library throws. */
export type RemoteAgent = {
  /** As its card says. */
  readonly name: string;
  /** It asks for the tools of its run in the way of `contract/A2A-TOOLS.md`. */
  readonly usesTools: boolean;
  /** Sends a message and gives what comes for it; one answer where the agent does not stream. */
  send(message: Message, signal: AbortSignal): AsyncGenerator<StreamResponse, void, undefined>;
  task(id: string, signal: AbortSignal): Promise<Task>;
  cancel(id: string, signal: AbortSignal): Promise<void>;
};

export type AgentAddress = {
  readonly clock: Clock;
  /** The agent as errors name it. */
  readonly name: string;
  /** Where its card is found: the address itself with `/.well-known/agent-card.json`. */
  readonly url: string;
  /** Shown to the origin of `url` and to no other; asked for at each request. */
  readonly token?: (() => string) | undefined;
  readonly fetch?: typeof fetch;
};

/** Reads the card of an agent and connects to it by JSON-RPC or HTTP+JSON, versions 1.0 and 0.3. */
export async function openAgent(address: AgentAddress, signal: AbortSignal): Promise<RemoteAgent> {
  const { clock, name, url, token, fetch: plain = fetch } = address;
  const sdk = await import('@a2a-js/sdk/client');
  const fetchImpl = guardedFetch({ clock, origin: new URL(url).origin, token, fetch: plain, signal });
  const options = { fetchImpl, legacyCompat: { enabled: true } };
  const factory = new sdk.ClientFactory({
    transports: [new sdk.JsonRpcTransportFactory(options), new sdk.RestTransportFactory(options)],
    cardResolver: new sdk.DefaultAgentCardResolver(options),
  });
  const where = url.endsWith('.json') ? [url, ''] : [url];
  const client = await factory.createFromUrl(...(where as [string, string?])).catch((thrown: unknown) => {
    throw agentError('link.unreachable', name, `its agent card cannot be read: ${wordsOf(thrown)}`);
  });
  const card: AgentCard = await client.getAgentCard({ signal });
  const within = <T>(work: Promise<T>, what: string) =>
    withDeadline(clock, A2A_LIMITS.ANSWER_MS, work, what, name);
  const usesTools = card.capabilities?.extensions?.some(({ uri }) => uri === TOOLS_EXTENSION) === true;
  const parameters = usesTools
    ? sdk.ServiceParameters.create(sdk.withA2AExtensions(TOOLS_EXTENSION))
    : undefined;
  return {
    name: card.name,
    usesTools,
    send: (message, gone) =>
      client.sendMessageStream(
        { tenant: '', message, configuration: undefined, metadata: undefined },
        { signal: gone, ...(parameters ? { serviceParameters: parameters } : {}) },
      ),
    task: (id, gone) => within(client.getTask({ tenant: '', id }, { signal: gone }), 'get task'),
    cancel: async (id, gone) =>
      void (await within(
        client.cancelTask({ tenant: '', id, metadata: undefined }, { signal: gone }),
        'cancel task',
      )),
  };
}

export function agentError(
  code: 'runtime.refused' | 'deadline.exceeded' | 'link.unreachable',
  name: string,
  what: string,
  hint = '',
): EdgeError {
  return new EdgeError(code, {
    ...{ operation: 'run agent', subject: name, message: `agent ${name}: ${what}` },
    ...(hint === '' ? {} : { hint }),
  });
}

export function wordsOf(thrown: unknown): string {
  const { message, cause } = (thrown ?? {}) as {
    readonly message?: string;
    readonly cause?: { message?: string };
  };
  const why = cause?.message === undefined ? '' : `: ${cause.message}`;
  return `${message ?? String(thrown)}${why}`.slice(0, 400);
}
