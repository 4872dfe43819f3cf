import type { NewEvent, PolicyContext, RunMessage } from '../../../contract/index.ts';

/** What somebody said to a run, as the log knows it. */
export function messageEvent(
  runId: string,
  messageId: string,
  message: RunMessage,
  { principal, origin }: PolicyContext,
): NewEvent {
  const { kind, ...body } = message;
  const payload = { message_id: messageId, kind, body, principal, origin };
  return { kind: 'run.message', run_id: runId, payload };
}
