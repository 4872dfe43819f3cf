import { LegacyJsonRpcTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import { RequestMalformedError } from '@a2a-js/sdk/errors';
import { JsonRpcTransportHandler, ServerCallContext, validateVersion } from '@a2a-js/sdk/server';
import {
  A2A_LIMITS,
  type A2aAnswer,
  type A2aApi,
  type A2aRequest,
  EdgeError,
  type PolicyContext,
} from '../../../contract/core.ts';
import { cancelIn } from '../../../formats/a2a-cancel.ts';
import { cardJson, cardOf } from './agent-card.ts';
import { OWNER, RobotAgent, type RobotAgentPorts } from './robot-agent.ts';

export type { RobotAgentPorts } from './robot-agent.ts';

const LEGACY = '0.3';
const MODERN = '1.0';
/** The library would read JSON in a JSON text as an order. */
const NOT_JSON = '{';

/** This robot as an agent of the Agent2Agent protocol, versions 1.0 and 0.3, over JSON-RPC. */
export class A2aEndpoint implements A2aApi {
  readonly #ports: RobotAgentPorts;
  /** Open streams by principal. */
  readonly #streams = new Map<string, number>();

  constructor(ports: RobotAgentPorts) {
    this.#ports = ports;
  }

  async card(base: string, version: string | undefined, whole: boolean): Promise<object> {
    const { robot, version: own, apps, push } = this.#ports;
    const facts = { robot, version: own, base, push: push !== undefined };
    return cardJson(cardOf({ ...facts, apps: whole ? apps() : [] }), version);
  }

  async call(request: A2aRequest): Promise<A2aAnswer> {
    const { body, who, base, gone } = request;
    // What stops the robot is not refused for its form.
    const stop = cancelIn(body);
    const version = request.version ?? (isModern(body) ? MODERN : LEGACY);
    const legacy = stop?.legacy ?? version.startsWith(LEGACY);
    const agent = new RobotAgent(this.#ports, { who, base, gone, version: legacy ? LEGACY : MODERN });
    const handler = legacy ? new LegacyJsonRpcTransportHandler(agent) : new JsonRpcTransportHandler(agent);
    try {
      if (!stop) validateVersion(version, await agent.getAgentCard(), 'JSONRPC');
      if (legacy) checkLegacyConfig(body);
      const context = new ServerCallContext({ requestedVersion: legacy ? LEGACY : MODERN });
      const order = stop?.request ?? (typeof body === 'string' ? NOT_JSON : body);
      const answer = await handler.handle(order as Record<string, unknown>, context);
      if (!(Symbol.asyncIterator in answer)) return { kind: 'answer', body: answer };
      const refused = this.#noStream(who);
      if (refused !== undefined) {
        await answer.return();
        throw new RequestMalformedError(`${refused} streams are open already: poll the task`);
      }
      return await this.#stream(answer, who, body, legacy);
    } catch (thrown) {
      return { kind: 'answer', body: refusal(thrown, body, legacy) };
    }
  }

  /** How many streams keep this caller from another one; undefined: none do. No client takes those of the others. */
  #noStream(who: PolicyContext): number | undefined {
    const own = this.#streams.get(nameOf(who)) ?? 0;
    if (own >= A2A_LIMITS.STREAMS_OF_ONE_MAX) return own;
    const all = [...this.#streams.values()].reduce((sum, one) => sum + one, 0);
    const isOperator = who.tenant === OWNER && who.roles.includes('operator');
    return all >= A2A_LIMITS.STREAMS_MAX - (isOperator ? 0 : A2A_LIMITS.STREAMS_KEPT) ? all : undefined;
  }

  /** The first event is waited for: what is refused before it is an answer and no stream. */
  async #stream(
    events: AsyncGenerator<object>,
    who: PolicyContext,
    body: unknown,
    legacy: boolean,
  ): Promise<A2aAnswer> {
    const name = nameOf(who);
    this.#streams.set(name, (this.#streams.get(name) ?? 0) + 1);
    const leave = () => {
      const left = (this.#streams.get(name) ?? 1) - 1;
      if (left > 0) this.#streams.set(name, left);
      else this.#streams.delete(name);
    };
    let first: IteratorResult<object>;
    try {
      first = await events.next();
    } catch (thrown) {
      leave();
      throw thrown;
    }
    async function* all() {
      try {
        if (!first.done) yield first.value;
        yield* events;
      } catch (thrown) {
        yield refusal(thrown, body, legacy);
      } finally {
        leave();
      }
    }
    return { kind: 'stream', events: all() };
  }
}

function nameOf({ tenant, principal }: PolicyContext): string {
  return JSON.stringify([tenant, principal]);
}

/** Methods of version 0.3 have a slash in their names; some clients of version 1.0 send no version. */
function isModern(body: unknown): boolean {
  const method = (body as { method?: unknown } | null | undefined)?.method;
  return typeof method === 'string' && !method.includes('/');
}

/** The library fails in words of its own where this is missing. */
function checkLegacyConfig(body: unknown): void {
  const { method, params } = (body ?? {}) as { method?: unknown; params?: Record<string, unknown> | null };
  if (method !== 'tasks/pushNotificationConfig/set') return;
  const config = params?.['pushNotificationConfig'];
  if (typeof config !== 'object' || config === null)
    throw new RequestMalformedError('params.pushNotificationConfig: an object with url expected');
}

function refusal(thrown: unknown, body: unknown, legacy: boolean): object {
  const id = (body as { id?: unknown } | null | undefined)?.id;
  const error = thrown instanceof EdgeError ? new RequestMalformedError(thrown.message) : thrown;
  return {
    jsonrpc: '2.0',
    id: typeof id === 'string' || typeof id === 'number' ? id : null,
    error: {
      ...(legacy
        ? LegacyJsonRpcTransportHandler.mapToLegacyJSONRPCError(error)
        : JsonRpcTransportHandler.mapToJSONRPCError(error)),
    },
  };
}
