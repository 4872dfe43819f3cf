import type {
  DeleteTaskPushNotificationConfigRequest,
  GetTaskPushNotificationConfigRequest,
  ListTaskPushNotificationConfigsRequest,
  ListTaskPushNotificationConfigsResponse,
  TaskPushNotificationConfig,
} from '@a2a-js/sdk';
import {
  PushNotificationNotSupportedError,
  RequestMalformedError,
  TaskNotFoundError,
  UnsupportedOperationError,
} from '@a2a-js/sdk/errors';
import type { PolicyContext, PushConfig, RunDetails } from '../../../contract/core.ts';
import type { PushDesk, PushTask } from '../push/push-desk.ts';
import { asked, askedNow } from './refusals.ts';

type Push = Pick<PushDesk, 'check' | 'set' | 'get' | 'list' | 'remove'>;
type Caller = { readonly who: PolicyContext; readonly version: '0.3' | '1.0' };

/** Stands for the id of a task that is not opened yet. */
const NO_TASK = 'new';

/**
 * Push notification configs as the library of the protocol asks for them, for one request. Only who opened a task sets,
 * reads and deletes its configs; tasks of others do not exist where `runOf` throws. Credentials are not read back.
 */
export class PushConfigs {
  readonly #push: Push | undefined;
  readonly #caller: Caller;
  readonly #runOf: (id: string) => RunDetails;

  constructor(push: Push | undefined, caller: Caller, runOf: (id: string) => RunDetails) {
    this.#push = push;
    this.#caller = caller;
    this.#runOf = runOf;
  }

  /** Whether this could be set for a task; empty: for one that is to be opened. Throws as `set` rejects. */
  check(taskId: string, config: TaskPushNotificationConfig): void {
    const push = this.#desk();
    if (taskId !== '') this.#own(taskId);
    askedNow(() => push.check(withTexts(config), this.#task(taskId || NO_TASK)));
  }

  async set(taskId: string, config: TaskPushNotificationConfig): Promise<TaskPushNotificationConfig> {
    const push = this.#desk();
    const task = this.#task(this.#own(taskId));
    return shown(await asked(push.set(withTexts(config), task)));
  }

  get({ taskId, id }: GetTaskPushNotificationConfigRequest): TaskPushNotificationConfig {
    const push = this.#desk();
    const found = push.get(this.#own(taskId), id);
    if (!found) throw new TaskNotFoundError(`task ${taskId} has no push notification config of this id`);
    return shown(found);
  }

  list({ taskId }: ListTaskPushNotificationConfigsRequest): ListTaskPushNotificationConfigsResponse {
    const push = this.#desk();
    return { configs: push.list(this.#own(taskId)).map(shown), nextPageToken: '' };
  }

  /** One that is not there is deleted. */
  remove({ taskId, id }: DeleteTaskPushNotificationConfigRequest): void {
    const push = this.#desk();
    const own = this.#own(taskId);
    askedNow(() => push.remove(own, id ?? ''));
  }

  #desk(): Push {
    if (this.#push) return this.#push;
    throw new PushNotificationNotSupportedError(
      'this robot posts no states (a2a.push_to is empty): subscribe to the task',
    );
  }

  #task(taskId: string): PushTask {
    const { who, version } = this.#caller;
    const { tenant, principal } = who;
    const isOperator = tenant === 'local' && who.roles.includes('operator');
    return { taskId, version, owner: { tenant, principal }, isOperator };
  }

  #own(taskId: string): string {
    const { run, intent } = this.#runOf(taskId);
    const { tenant, principal } = intent.policy_ctx;
    const { who } = this.#caller;
    if (tenant === who.tenant && principal === who.principal) return run.run_id;
    throw new UnsupportedOperationError(
      'policy.denied: only who opened the task sets and reads its push notifications',
    );
  }
}

/** Version 0.3 hands on what the client sent, whatever that is. */
function withTexts({ id, url, token, authentication }: TaskPushNotificationConfig) {
  const { scheme = '', credentials = '' } = authentication ?? {};
  for (const [key, value] of Object.entries({ id, url, token, scheme, credentials }))
    if (typeof value !== 'string')
      throw new RequestMalformedError(`pushNotificationConfig.${key}: a text expected`);
  return { id, url, token, authentication: authentication && { scheme, credentials } };
}

function shown({ taskId, id, url, token, scheme }: PushConfig): TaskPushNotificationConfig {
  const authentication = scheme === '' ? undefined : { scheme, credentials: '' };
  return { tenant: '', taskId, id, url, token, authentication };
}
