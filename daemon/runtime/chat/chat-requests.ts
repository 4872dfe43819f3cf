import { type CellBus, METHODS, neededText } from '../../../contract/core.ts';
import type { ChatSessions } from './chat-sessions.ts';

/** What the execution cell asks for nodes of the key space and of ROS. */
export function serveChats(bus: Pick<CellBus, 'handle'>, chats: ChatSessions): void {
  const { chatOpen, chatNext, chatCancel } = METHODS.runtime;
  bus.handle(chatOpen, async (body) => {
    chats.open(body);
    return {};
  });
  bus.handle(chatNext, async (body) => chats.next(body));
  bus.handle(chatCancel, async (body) => chats.cancel(neededText(chatCancel, body, 'callId')));
}
