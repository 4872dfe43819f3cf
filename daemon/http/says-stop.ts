import { fieldsOf, isStopOrder } from '../../contract/index.ts';

/** Methods of the Agent2Agent protocol that ask the robot for something, in both of its versions. */
export const A2A_SENDS: ReadonlySet<unknown> = new Set([
  ...['message/send', 'message/stream', 'SendMessage', 'SendStreamingMessage'],
]);
/** Paths of requests with words for a run that is there, or that is opened by them. */
const TO_RUN: ReadonlySet<string | undefined> = new Set([
  ...['/v1/runs/:id/messages', '/v1/runs/:id/fork'],
  ...['messages', 'steer', 'follow-up'].map((word) => `/v1/sessions/:id/${word}`),
]);
const ANSWER = '/v1/questions/:questionId/answer';
const PARTS_MAX = 16;

/** Whether a request to this path is an order to stop in words: nothing refuses it for its time or for its connection. */
export function saysStop(url: string | undefined, body: unknown): boolean {
  const words = wordsTo(url, body);
  return typeof words === 'string' && isStopOrder(words);
}

function wordsTo(url: string | undefined, body: unknown): unknown {
  const { text, words, answer, params, message, method, type, attended } = fieldsOf(body);
  if (TO_RUN.has(url)) return text;
  if (url === '/v1/ask') return words;
  if (url === ANSWER) return answer;
  if (url === '/v1/sessions') return text ?? fieldsOf(params)['words'];
  if (url === '/v1/intents')
    return attended === true || type === 'robot/chat' ? fieldsOf(params)['words'] : undefined;
  if (url === '/a2a') return A2A_SENDS.has(method) ? textOf(fieldsOf(params)['message']) : undefined;
  return url?.startsWith('/a2a/http/message::') ? textOf(message) : undefined;
}

/** The text of an A2A message; undefined where it has other parts, which say something else. */
function textOf(message: unknown): string | undefined {
  const { parts } = fieldsOf(message);
  if (!Array.isArray(parts) || parts.length > PARTS_MAX) return undefined;
  const texts = parts.map((part) => fieldsOf(part)['text']);
  return texts.every((one) => typeof one === 'string') ? texts.join('\n') : undefined;
}
