import { setMaxListeners } from 'node:events';
import { type AgentCard, AgentCard as Card, type Message, type Part, Role, TaskState } from '@a2a-js/sdk';
import {
  AgentEvent,
  DefaultRequestHandler,
  type ExecutionEventBus,
  InMemoryTaskStore,
  JsonRpcTransportHandler,
  type RequestContext,
  ServerCallContext,
} from '@a2a-js/sdk/server';
import { type A2aParts, a2aRun, openAgent, TOOLS_EXTENSION } from '../../adapters/a2a/index.ts';
import type { Clock, HostedOutcome, HostedRun } from '../../contract/index.ts';
import { serveHosted } from './acp-script.ts';
import type { RemotePeer } from './remote-peer.ts';

/** What a scripted agent does with one message: what it asks for, or how its task ends. */
export type AgentTurn =
  | { readonly calls: readonly { readonly id: string; readonly name: string; readonly args: object }[] }
  | { readonly end: 'completed' | 'failed'; readonly text: string; readonly artifact?: object }
  | { readonly ask: string }
  | { readonly say: string }
  /** Nothing comes any more. */
  | { readonly hang: true };

export type AgentMessage = {
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly task: string;
};
export type AgentScript = (message: AgentMessage) => AgentTurn | Promise<AgentTurn>;

const CARD: AgentCard = {
  ...{ name: 'scripted', description: 'an agent', version: '1', provider: undefined, skills: [] },
  supportedInterfaces: [
    { url: 'http://agent.example/a2a', protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' },
  ],
  capabilities: {
    ...{ streaming: true, pushNotifications: false },
    extensions: [{ uri: TOOLS_EXTENSION, description: '', required: false, params: undefined }],
  },
  ...{ securitySchemes: {}, securityRequirements: [], signatures: [] },
  ...{ defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'] },
};

const part = (content: Part['content']): Part => ({
  content,
  metadata: undefined,
  filename: '',
  mediaType: '',
});

/** An agent behind the server of the official library, in memory: `fetch` reaches it and nothing else. */
export class MemoryA2aAgent {
  readonly #script: AgentScript;
  readonly #handler: JsonRpcTransportHandler;
  readonly #card: AgentCard;
  readonly cancelled: string[] = [];
  readonly heard: AgentMessage[] = [];
  readonly requests: { readonly url: string; readonly headers: Headers }[] = [];
  /** What is answered instead of an agent; undefined: the agent answers. */
  instead: ((url: string, method: string) => Response | undefined) | undefined;

  constructor(script: AgentScript, card: Partial<AgentCard> = {}) {
    this.#script = script;
    this.#card = { ...CARD, ...card };
    const execute = (context: RequestContext, bus: ExecutionEventBus) => this.#execute(context, bus);
    const cancelTask = async (taskId: string, bus: ExecutionEventBus) => {
      this.cancelled.push(taskId);
      bus.publish(AgentEvent.statusUpdate(status(taskId, '', TaskState.TASK_STATE_CANCELED)));
      bus.finished();
    };
    const handler = new DefaultRequestHandler(this.#card, new InMemoryTaskStore(), { execute, cancelTask });
    this.#handler = new JsonRpcTransportHandler(handler);
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const url = String(input);
    this.requests.push({ url, headers: new Headers(init?.headers) });
    const body = init?.body === undefined ? undefined : (JSON.parse(String(init.body)) as { method: string });
    const other = this.instead?.(url, body?.method ?? '');
    if (other) return other;
    if (body === undefined) return Response.json(Card.toJSON(this.#card));
    const context = new ServerCallContext({ requestedVersion: '1.0' });
    const answer = await this.#handler.handle(body as never, context);
    if (!(Symbol.asyncIterator in answer)) return Response.json(answer);
    const stream = new ReadableStream({
      async pull(controller) {
        const { done, value } = await answer.next();
        if (done) controller.close();
        else controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(value)}\n\n`));
      },
      cancel: () => void answer.return(),
    });
    return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
  };

  parts(clock: Clock, more: Partial<A2aParts> = {}): A2aParts {
    return {
      ...{ clock, name: 'scripted', timeoutMs: 60_000, report: () => {} },
      open: (signal) =>
        openAgent({ clock, name: 'scripted', url: 'http://agent.example', fetch: this.fetch }, signal),
      ...more,
    };
  }

  async #execute({ userMessage, taskId, contextId, task }: RequestContext, bus: ExecutionEventBus) {
    const message = { ...read(userMessage), task: taskId };
    this.heard.push(message);
    // Every turn of a task listens to the same bus.
    setMaxListeners(0, bus as unknown as EventTarget);
    const said: AgentTurn | Promise<AgentTurn> = this.#script(message);
    if ('say' in said) {
      bus.publish(AgentEvent.message(agentSays(said.say, undefined, '', contextId)));
      return;
    }
    const of = { contextId, artifacts: [], history: [userMessage], metadata: undefined };
    const working = { state: TaskState.TASK_STATE_WORKING, message: undefined, timestamp: undefined };
    bus.publish(AgentEvent.task(task ?? { id: taskId, ...of, status: working }));
    const turn: AgentTurn = await said;
    if ('say' in turn) throw new Error('a message without a task is said at once');
    if ('hang' in turn) return await new Promise<void>(() => {});
    if ('end' in turn) {
      if (turn.artifact)
        bus.publish(
          AgentEvent.artifactUpdate({
            ...{ taskId, contextId, append: false, lastChunk: true, metadata: undefined },
            artifact: {
              ...{ artifactId: 'a', name: 'answer', description: '', metadata: undefined, extensions: [] },
              parts: [part({ $case: 'data', value: turn.artifact })],
            },
          }),
        );
      const state = turn.end === 'completed' ? TaskState.TASK_STATE_COMPLETED : TaskState.TASK_STATE_FAILED;
      bus.publish(
        AgentEvent.statusUpdate(
          status(taskId, contextId, state, agentSays(turn.text, undefined, taskId, contextId)),
        ),
      );
    } else {
      const words =
        'ask' in turn
          ? agentSays(turn.ask, undefined, taskId, contextId)
          : agentSays('', { tool_calls: turn.calls }, taskId, contextId);
      bus.publish(
        AgentEvent.statusUpdate(status(taskId, contextId, TaskState.TASK_STATE_INPUT_REQUIRED, words)),
      );
    }
  }
}

function status(taskId: string, contextId: string, state: TaskState, message?: Message) {
  return { taskId, contextId, status: { state, message, timestamp: undefined }, metadata: undefined };
}

function agentSays(text: string, data: object | undefined, taskId: string, contextId: string): Message {
  const parts = [
    ...(text === '' ? [] : [part({ $case: 'text', value: text })]),
    ...(data === undefined ? [] : [part({ $case: 'data', value: data })]),
  ];
  return {
    ...{ messageId: `agent-${taskId}-${Math.random()}`, contextId, taskId, role: Role.ROLE_AGENT, parts },
    ...{ metadata: undefined, extensions: [], referenceTaskIds: [] },
  };
}

function read({ parts }: Message) {
  let text = '';
  let data: Readonly<Record<string, unknown>> = {};
  for (const { content } of parts) {
    if (content?.$case === 'text') text += content.value;
    if (content?.$case === 'data') data = { ...data, ...(content.value as object) };
  }
  return { text, data };
}

/** Serves the runs of a peer with such an agent. */
export function serveA2aAgent(peer: RemotePeer, parts: A2aParts): RemotePeer {
  return serveHosted(peer, (run: HostedRun): Promise<HostedOutcome> => a2aRun(run, parts));
}
