import type {
  AgentCard,
  CancelTaskRequest,
  DeleteTaskPushNotificationConfigRequest,
  GetTaskPushNotificationConfigRequest,
  GetTaskRequest,
  ListTaskPushNotificationConfigsRequest,
  ListTaskPushNotificationConfigsResponse,
  ListTasksRequest,
  ListTasksResponse,
  Message,
  SendMessageRequest,
  StreamResponse,
  SubscribeToTaskRequest,
  Task,
  TaskPushNotificationConfig,
} from '@a2a-js/sdk';
import { RequestMalformedError, TaskNotFoundError, UnsupportedOperationError } from '@a2a-js/sdk/errors';
import type { A2ARequestHandler } from '@a2a-js/sdk/server';
import {
  A2A_LIMITS,
  type Application,
  type AskApi,
  type AskIntent,
  type Clock,
  EdgeError,
  isFinished,
  type PolicyContext,
  pause,
  type RunDetails,
  type RuntimeApi,
} from '../../../contract/core.ts';
import { type PushDesk, shownOf } from '../push/push-desk.ts';
import { cardOf } from './agent-card.ts';
import { contextOf, textOf, wantedOf } from './message-intent.ts';
import { PushConfigs } from './push-configs.ts';
import { asked } from './refusals.ts';
import { agentMessage, dataPart, taskOf } from './run-task.ts';

/** What this robot calls as an agent. It keeps no state: a task is a run. */
export type RobotAgentPorts = {
  readonly robot: string;
  readonly version: string;
  readonly clock: Clock;
  readonly runtime: Pick<RuntimeApi, 'submit' | 'cancel' | 'run' | 'runs'>;
  /** Applications that take intents now. */
  readonly apps: () => readonly Pick<Application, 'name' | 'intents'>[];
  /** Words as intents; absent: no model is configured. */
  readonly ask?: AskApi | undefined;
  /** Says something to a run in progress. */
  message(runId: string, text: string, who: PolicyContext, messageId: string): Promise<unknown>;
  readonly newId: () => string;
  /** Posts states of tasks to receivers that clients name; absent: the configuration allows none. */
  readonly push?: Pick<PushDesk, 'check' | 'set' | 'get' | 'list' | 'remove'> | undefined;
};

type Call = {
  readonly who: PolicyContext;
  readonly base: string;
  readonly gone: AbortSignal;
  readonly version: '0.3' | '1.0';
};

/** The owner of the robot sees every run, others those of their tenant. */
export const OWNER = 'local';

/**
 * This robot as the library of the protocol calls it, for one request. Runs that are not of the caller's tenant do not
 * exist for it. Throws the errors of the library and `EdgeError`s.
 */
export class RobotAgent implements A2ARequestHandler {
  readonly #ports: RobotAgentPorts;
  readonly #call: Call;
  readonly #push: PushConfigs;

  constructor(ports: RobotAgentPorts, call: Call) {
    this.#ports = ports;
    this.#call = call;
    this.#push = new PushConfigs(ports.push, call, (id) => this.#run(id));
  }

  async getAgentCard(): Promise<AgentCard> {
    const { robot, version, push } = this.#ports;
    return cardOf({ robot, version, base: this.#call.base, apps: this.#apps(), push: push !== undefined });
  }

  getAuthenticatedExtendedAgentCard(): Promise<AgentCard> {
    return this.getAgentCard();
  }

  /** Waits for the end of the run, but not for ever: then the answer is the task as it is. */
  async sendMessage(request: SendMessageRequest): Promise<Message | Task> {
    const sent = await this.#send(request);
    if (typeof sent !== 'string') return sent;
    if (request.configuration?.returnImmediately === true) return taskOf(this.#run(sent));
    const { clock } = this.#ports;
    const until = clock.monotonicMs() + A2A_LIMITS.BLOCKING_MS;
    let details = this.#run(sent);
    while (!isFinished(details.run.status) && clock.monotonicMs() < until && !this.#call.gone.aborted) {
      await pause(clock, A2A_LIMITS.LOOK_MS, this.#call.gone);
      details = this.#run(sent);
    }
    return taskOf(details);
  }

  async *sendMessageStream(request: SendMessageRequest): AsyncGenerator<StreamResponse, void, undefined> {
    const sent = await this.#send(request);
    if (typeof sent !== 'string') yield { payload: { $case: 'message', value: sent } };
    else yield* this.#follow(sent);
  }

  async getTask({ id }: GetTaskRequest): Promise<Task> {
    return taskOf(this.#run(id));
  }

  async listTasks(request: ListTasksRequest): Promise<ListTasksResponse> {
    const { tenant } = this.#call.who;
    const { pageSize = 0 } = request;
    if (!(pageSize >= 0)) throw new RequestMalformedError('params.pageSize: a number from 1 expected');
    const limit = Math.min(pageSize || A2A_LIMITS.LIST_MAX, A2A_LIMITS.LIST_MAX);
    const found = this.#ports.runtime.runs({
      ...{ limit: request.contextId === '' ? limit : 1_000 },
      ...(tenant === OWNER ? {} : { tenant }),
      ...(request.pageToken === '' ? {} : { before: request.pageToken }),
    });
    const wanted = found
      .filter((one) => request.contextId === '' || contextOf(one) === request.contextId)
      .slice(0, limit);
    const tasks = wanted
      .map(taskOf)
      .filter(({ status }) => request.status === 0 || status?.state === request.status);
    const nextPageToken = found.length >= limit ? (wanted.at(-1)?.run.run_id ?? '') : '';
    return { tasks, nextPageToken, pageSize: limit, totalSize: tasks.length };
  }

  /** A stop: it needs nothing but the id. A run that is over stays as it is. */
  async cancelTask({ id, metadata }: CancelTaskRequest): Promise<Task> {
    this.#run(id);
    const reason = typeof metadata?.['reason'] === 'string' ? metadata['reason'].slice(0, 256) : '';
    await this.#ports.runtime.cancel(id, reason || 'cancelled by an agent', this.#call.who.principal);
    return taskOf(this.#run(id));
  }

  async *resubscribe({ id }: SubscribeToTaskRequest): AsyncGenerator<StreamResponse, void, undefined> {
    yield* this.#follow(this.#run(id).run.run_id);
  }

  createTaskPushNotificationConfig(config: TaskPushNotificationConfig): Promise<TaskPushNotificationConfig> {
    return this.#push.set(config.taskId, config);
  }

  async getTaskPushNotificationConfig(
    request: GetTaskPushNotificationConfigRequest,
  ): Promise<TaskPushNotificationConfig> {
    return this.#push.get(request);
  }

  async listTaskPushNotificationConfigs(
    request: ListTaskPushNotificationConfigsRequest,
  ): Promise<ListTaskPushNotificationConfigsResponse> {
    return this.#push.list(request);
  }

  async deleteTaskPushNotificationConfig(request: DeleteTaskPushNotificationConfigRequest): Promise<void> {
    this.#push.remove(request);
  }

  /** Gives the id of the run, or what is said without one. */
  async #send(request: SendMessageRequest): Promise<string | Message> {
    const config = request.configuration?.taskPushNotificationConfig;
    // Nothing is done for a message whose config would be refused.
    if (config) this.#push.check(request.message?.taskId ?? '', config);
    const sent = await this.#done(request);
    if (config && typeof sent === 'string') await this.#push.set(sent, config);
    return sent;
  }

  async #done(request: SendMessageRequest): Promise<string | Message> {
    const { runtime, ask } = this.#ports;
    const { who } = this.#call;
    const { taskId = '' } = request.message ?? {};
    if (taskId !== '') return await this.#toRun(taskId, request.message!);
    const wanted = wantedOf(request);
    if (wanted.kind === 'intent') return (await asked(runtime.submit(wanted.request, who))).run.run_id;
    if (wanted.kind === 'confirm') {
      if (!ask) throw new UnsupportedOperationError('no model is configured: name a skill of the agent card');
      return (await asked(ask.confirm(wanted.askId, who))).run.run_id;
    }
    return await asked(this.#plan(wanted.words, request.message!));
  }

  /** Words move nothing: the answer says what would be done, and how to have it done. */
  async #plan(words: string, { contextId }: Message): Promise<Message> {
    const { ask, newId } = this.#ports;
    const say = (text: string, data: unknown): Message => {
      const message = agentMessage(text, '', contextId, newId());
      return { ...message, parts: [...message.parts, dataPart(data)] };
    };
    if (!ask) {
      const skills = this.#apps().flatMap(({ intents }) => intents.map(({ type }) => type));
      return say('Name a skill: a data part {"skill": …, "params": {…}}. No model reads words here.', {
        skills,
      });
    }
    const plan = await ask.plan(words, this.#call.who, this.#call.gone);
    const { ask_id, reason } = plan;
    const shown = ({ ask_id, intent: { type: skill, params } }: AskIntent) => ({ ask_id, skill, params });
    if (plan.kind === 'stopped') {
      const { confirmed, warnings } = plan;
      const stands = confirmed ? 'The robot was stopped.' : `The robot was stopped. ${warnings.join(' ')}`;
      return say(stands, { stopped: true, confirmed });
    }
    if (plan.kind === 'unclear') {
      const listed = plan.candidates.map((one) => `{"ask_id": "${one.ask_id}"}: ${wordsOf(one)}`);
      const candidates = plan.candidates.map(shown);
      return say(`Send the one that is meant: ${listed.join('; ')}. ${reason}`, { candidates });
    }
    return say(
      `This would be done: ${plan.about || plan.intent.type}. ${reason} To have it done, send {"ask_id": "${ask_id}"}.`,
      shown(plan),
    );
  }

  async #toRun(id: string, message: Message): Promise<string> {
    const { run } = this.#run(id);
    if (isFinished(run.status))
      throw new UnsupportedOperationError(`task ${id} is over: send a message without its id`);
    const text = textOf(message).slice(0, A2A_LIMITS.WORDS_MAX);
    if (text === '') throw new RequestMalformedError('params.message.parts: text expected');
    await asked(this.#ports.message(run.run_id, text, this.#call.who, message.messageId));
    return run.run_id;
  }

  async *#follow(id: string): AsyncGenerator<StreamResponse, void, undefined> {
    const { clock } = this.#ports;
    const { gone } = this.#call;
    let details = this.#run(id);
    yield { payload: { $case: 'task', value: taskOf(details) } };
    let shown = shownOf(details);
    while (!isFinished(details.run.status)) {
      await pause(clock, A2A_LIMITS.LOOK_MS, gone);
      if (gone.aborted) return;
      details = this.#run(id);
      if (shownOf(details) === shown) continue;
      shown = shownOf(details);
      const { id: taskId, contextId, status, artifacts } = taskOf(details);
      if (isFinished(details.run.status))
        for (const artifact of artifacts)
          yield {
            payload: {
              $case: 'artifactUpdate',
              value: { taskId, contextId, artifact, append: false, lastChunk: true, metadata: undefined },
            },
          };
      yield { payload: { $case: 'statusUpdate', value: { taskId, contextId, status, metadata: undefined } } };
    }
  }

  /** As in the API, guests of another tenant are not shown what is installed here. */
  #apps(): ReturnType<RobotAgentPorts['apps']> {
    return this.#call.who.tenant === OWNER ? this.#ports.apps() : [];
  }

  #run(id: string): RunDetails {
    const { tenant } = this.#call.who;
    const found = find(() => this.#ports.runtime.run(id));
    if (found && (tenant === OWNER || found.intent.policy_ctx.tenant === tenant)) return found;
    throw new TaskNotFoundError(`task ${id.slice(0, 64)} does not exist`);
  }
}

function wordsOf({ intent: { type, params } }: AskIntent): string {
  return `${type} ${JSON.stringify(params)}`;
}

function find(run: () => RunDetails): RunDetails | undefined {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof EdgeError && thrown.code === 'run.not_found') return undefined;
    throw thrown;
  }
}
