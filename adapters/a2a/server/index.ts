import { LegacyJsonRpcTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import { RequestMalformedError } from '@a2a-js/sdk/errors';
import { JsonRpcTransportHandler, ServerCallContext, validateVersion } from '@a2a-js/sdk/server';
import {
  A2A_LIMITS,
  type A2aAnswer,
  type A2aApi,
  type A2aRequest,
  EdgeError,
} from '../../../contract/core.ts';
import { cancelIn } from '../../../formats/a2a-cancel.ts';
import { cardJson, cardOf } from './agent-card.ts';
import { RobotAgent, type RobotAgentPorts } from './robot-agent.ts';

export type { RobotAgentPorts } from './robot-agent.ts';

const LEGACY = '0.3';
const MODERN = '1.0';
/** The library would read JSON in a JSON text as an order. */
const NOT_JSON = '{';

/** This robot as an agent of the Agent2Agent protocol, versions 1.0 and 0.3, over JSON-RPC. */
export class A2aEndpoint implements A2aApi {
  readonly #ports: RobotAgentPorts;
  #streams = 0;

  constructor(ports: RobotAgentPorts) {
    this.#ports = ports;
  }

  async card(base: string, version: string | undefined, whole: boolean): Promise<object> {
    const { robot, version: own, apps } = this.#ports;
    return cardJson(cardOf({ robot, version: own, base, apps: whole ? apps() : [] }), version);
  }

  async call(request: A2aRequest): Promise<A2aAnswer> {
    const { body, who, base, gone } = request;
    const agent = new RobotAgent(this.#ports, { who, base, gone });
    // What stops the robot is not refused for its form.
    const stop = cancelIn(body);
    const version = request.version ?? (isModern(body) ? MODERN : LEGACY);
    const legacy = stop?.legacy ?? version.startsWith(LEGACY);
    const handler = legacy ? new LegacyJsonRpcTransportHandler(agent) : new JsonRpcTransportHandler(agent);
    try {
      if (!stop) validateVersion(version, await agent.getAgentCard(), 'JSONRPC');
      const context = new ServerCallContext({ requestedVersion: legacy ? LEGACY : MODERN });
      const order = stop?.request ?? (typeof body === 'string' ? NOT_JSON : body);
      const answer = await handler.handle(order as Record<string, unknown>, context);
      if (!(Symbol.asyncIterator in answer)) return { kind: 'answer', body: answer };
      if (this.#streams >= A2A_LIMITS.STREAMS_MAX) {
        await answer.return();
        throw new RequestMalformedError(`${A2A_LIMITS.STREAMS_MAX} streams are open already: poll the task`);
      }
      return await this.#stream(answer, body, legacy);
    } catch (thrown) {
      return { kind: 'answer', body: refusal(thrown, body, legacy) };
    }
  }

  /** The first event is waited for: what is refused before it is an answer and no stream. */
  async #stream(events: AsyncGenerator<object>, body: unknown, legacy: boolean): Promise<A2aAnswer> {
    this.#streams++;
    const leave = () => void this.#streams--;
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

/** Methods of version 0.3 have a slash in their names; some clients of version 1.0 send no version. */
function isModern(body: unknown): boolean {
  const method = (body as { method?: unknown } | null | undefined)?.method;
  return typeof method === 'string' && !method.includes('/');
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
