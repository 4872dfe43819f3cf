import { type CellContext, type IdSource, type NamedPlace, stopRobot } from '../../contract/core.ts';
import { stopAnswer } from '../http/stop-answer.ts';
import { AskDesk } from '../runtime/chat/ask-desk.ts';
import { ChatDesk } from '../runtime/chat/chat-desk.ts';
import { serveChats } from '../runtime/chat/chat-requests.ts';
import { ChatSessions } from '../runtime/chat/chat-sessions.ts';
import type { ModelRouter } from '../runtime/models/model-router.ts';
import type { RuntimeCell } from '../runtime/runtime-cell.ts';

export type ChatsParts = {
  readonly runtime: Pick<RuntimeCell, 'append' | 'submit' | 'apps' | 'status' | 'cancel' | 'stops' | 'moves'>;
  readonly models: ModelRouter;
  readonly ids: IdSource;
  readonly places: readonly NamedPlace[];
};

/** `start` comes after that of the runtime: before, it is unknown what was spent. */
export type Chats = { readonly desk: ChatDesk; readonly ask: AskDesk; start(): void; close(): void };

/** Models for any caller from outside of runs: the API in this cell, the key space and ROS through the other. */
export function makeChats(
  { clock, bus }: Pick<CellContext, 'clock' | 'bus'>,
  { runtime, models, ids, places }: ChatsParts,
): Chats {
  const names = () => models.models().map(({ name }) => name);
  const emit: RuntimeCell['append'] = (events) => runtime.append(events);
  const desk = new ChatDesk({ models: models.forRun, names, clock, ids, emit });
  const sessions = new ChatSessions(desk, clock);
  return {
    desk,
    ask: new AskDesk({
      ...{ clock, ids, chat: desk, places, stops: runtime.stops },
      apps: () => runtime.apps.serving(),
      submit: (request, who) => runtime.submit(request, who),
      moves: (type) => runtime.moves(type),
      stop: async (reason, by) => {
        const { result } = await stopAnswer(stopRobot({ bus, clock, runtime }, reason, by));
        return { confirmed: result?.confirmed !== false, warnings: result?.warnings ?? [] };
      },
    }),
    start: () => serveChats(bus, sessions),
    close: () => sessions.close(),
  };
}
