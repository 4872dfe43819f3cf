import { type Clock, EdgeError, type PolicyContext } from '../../contract/index.ts';
import { System2Door } from '../../daemon/execution/serving/system2-door.ts';
import { ChatDesk } from '../../daemon/runtime/chat/chat-desk.ts';
import { serveChats } from '../../daemon/runtime/chat/chat-requests.ts';
import { ChatSessions } from '../../daemon/runtime/chat/chat-sessions.ts';
import { FakeLanguageModel, type ReplyOf } from '../fakes/fake-language-model.ts';
import { modelRig } from './model-rig.ts';

const WHO: PolicyContext = { tenant: 'local', principal: 'peer', roles: [], origin: 'zenoh' };

/** The way to models and plans as another cell has it: over a bus, to a model that says what `reply` says. */
export function system2Door(
  clock: Clock,
  reply: ReplyOf,
  plan?: (body: unknown) => Promise<unknown>,
): System2Door {
  const models = modelRig([new FakeLanguageModel('small', reply)], { clock });
  const desk = new ChatDesk({
    models: models.router.forRun,
    names: () => ['small'],
    clock,
    ids: models.router.options.ids,
    emit: models.router.options.emit,
  });
  const methods = new Map<string, (body: unknown) => Promise<unknown>>();
  serveChats(
    { handle: (name, answer) => void methods.set(name, (body) => answer(body as never, 'execution', 0, 0)) },
    new ChatSessions(desk, clock),
  );
  if (plan) methods.set('infer.plan', plan);
  const request = async <T>(to: string, method: string, body: unknown): Promise<T> => {
    const answer = methods.get(method);
    if (!answer) throw new EdgeError('cell.unavailable', { operation: method, subject: to });
    return (await answer(body)) as T;
  };
  let ids = 0;
  return new System2Door({ bus: { request }, clock, id: () => `call-${++ids}`, context: WHO });
}
