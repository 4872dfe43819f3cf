import { type AgentDefinition, canonicalJson, LIMITS, type RunOutcome } from '../../contract/core.ts';

type Block = { readonly type: string } & Readonly<Record<string, unknown>>;

/** The fields of a session entry that determine the state of the run. */
export type Entry = Readonly<Record<string, unknown>> & { readonly type: string };
export type Message = { readonly role: string } & Readonly<Record<string, unknown>>;

/** The start of a forked run: entries before it belong to another run. */
export const FORKED = 'auraison.forked';

/** The point where an agent continues after a flow replaced it. */
export const RETURNED = 'auraison.returned';
export const LOOK_AGAIN =
  'No model answered for a while, and a fixed program moved the robot meanwhile. It stands now. What you saw before may be out of date: look again, then continue.';

/** Texts without a call in a row, where calls are required; then the run fails. */
const TEXTS_MAX = 3;
export const CHOOSE_A_TOOL = 'You have to choose one of your tools. When you are done, call run_finish.';

/** State of a session: what has to happen next. */
export type Standing =
  | { readonly at: 'new' }
  /** Calls of the last answer that have no result. */
  | { readonly at: 'calls'; readonly calls: readonly Block[]; readonly cutShort: boolean }
  /** A model may be asked. */
  | { readonly at: 'turn' }
  /** True if the last answer failed or was truncated: it does not count. */
  | { readonly at: 'failed' }
  | { readonly at: 'text'; readonly text: string }
  | { readonly at: 'finished'; readonly result: Readonly<Record<string, unknown>> };

/** The state after the messages of a session, in order. Pure. */
export function standingOf(messages: readonly Message[]): Standing {
  const said = messages.filter(({ role }) => role !== 'system');
  const last = said.at(-1);
  if (!last) return { at: 'new' };
  const from = said.findLastIndex(({ role }) => role === 'assistant');
  const answer = said[from];
  const after = said.slice(from + 1);
  if (!answer || after.some(({ role }) => role !== 'toolResult')) return { at: 'turn' };
  if (answer['stopReason'] === 'error' || answer['stopReason'] === 'aborted') return { at: 'failed' };
  const calls = callsOf(answer);
  if (calls.length === 0) return { at: 'text', text: textOf(answer) };
  const finish = after.map(finishResult).find((result) => result !== undefined);
  if (finish) return { at: 'finished', result: finish };
  const answered = new Set(after.map((result) => result['toolCallId']));
  const open = calls.filter((call) => !answered.has(call['id']));
  if (open.length > 0) return { at: 'calls', calls: open, cutShort: answer['stopReason'] === 'length' };
  return { at: 'turn' };
}

/** How the run ends after a turn; undefined while it continues. Pure. */
export function endingOf(
  entries: readonly Entry[],
  agent: Pick<AgentDefinition, 'turnsMax' | 'toolChoice'>,
): RunOutcome | undefined {
  const standing = standingOf(messagesOf(entries));
  if (standing.at === 'finished') return finishedBy(standing.result);
  const turns = turnsOf(entries);
  // Failures before a flow took over do not count again once the model is back.
  const messages = messagesOf(entries.slice(1 + entries.findLastIndex(isReturn)));
  const texts = trailingTexts(messages);
  if (standing.at === 'text' && agent.toolChoice !== 'required') {
    const reason = standing.text.trim().slice(0, 512) || 'the agent had nothing more to say';
    return { status: 'succeeded', reason, summary: { turns, text: standing.text.slice(0, 4_096) } };
  }
  if (texts >= TEXTS_MAX) return failed(`the model chose no tool ${texts} times in a row`, turns, true);
  const same = sameCalls(messages);
  if (same >= LIMITS.AGENT_SAME_CALLS_MAX)
    return failed(`the model made the same call ${same} times in a row, with the same result`, turns, true);
  const refused = refusedAnswers(messages);
  if (refused >= LIMITS.AGENT_REFUSED_MAX)
    return failed(`every call of the model was refused or failed, ${refused} turns in a row`, turns, true);
  if (turns >= agent.turnsMax) return failed(`no end after ${turns} turns`, turns);
  return undefined;
}

/** Answers of models in this run that count. Pure. */
export function turnsOf(entries: readonly Entry[]): number {
  const from = entries.findLastIndex(({ type, customType }) => type === 'custom' && customType === FORKED);
  const own = messagesOf(entries.slice(from + 1));
  return own.filter((message) => message.role === 'assistant' && !isBroken(message)).length;
}

function isReturn({ type, customType }: Entry): boolean {
  return type === 'custom' && customType === RETURNED;
}

export function messagesOf(entries: readonly Entry[]): Message[] {
  return entries.flatMap((entry) => (entry.type === 'message' ? [entry['message'] as Message] : []));
}

/** The arguments of `run.finish`, as an outcome. */
function finishedBy(result: Readonly<Record<string, unknown>>): RunOutcome {
  const { status, reason, score, summary, ...rest } = result;
  const number = typeof score === 'number' && score >= 0 && score <= 1 ? { score } : {};
  return {
    status: status === 'failed' || status === 'cancelled' ? status : 'succeeded',
    reason: typeof reason === 'string' && reason !== '' ? reason.slice(0, 512) : 'the agent is done',
    ...number,
    summary: isObject(summary) ? summary : rest,
  };
}

/** How often in a row the last calls were made with the same results. Looks back no further than that. */
function sameCalls(messages: readonly Message[]): number {
  let key: string | undefined;
  let times = 0;
  let results: string[] = [];
  for (const message of messages.toReversed()) {
    if (message.role === 'toolResult') results.unshift(textOf(message));
    if (message.role !== 'assistant' || isBroken(message)) continue;
    const calls = callsOf(message).map(({ name, arguments: args, rawArguments }) => [
      name,
      args,
      rawArguments ?? null,
    ]);
    const turn = [...calls, ...results];
    results = [];
    if (key === undefined && turn.length === 0) return 0;
    const text = canonicalJson(turn);
    if (text !== (key ?? text)) break;
    key = text;
    times++;
  }
  return times;
}

/** The number of last answers in a row without any executed call. */
function refusedAnswers(messages: readonly Message[]): number {
  let answers = 0;
  for (const message of messages.toReversed()) {
    if (message.role === 'toolResult' && message['isError'] !== true) break;
    if (message.role === 'assistant' && !isBroken(message)) answers++;
  }
  return answers;
}

function trailingTexts(messages: readonly Message[]): number {
  let texts = 0;
  for (const message of messages.toReversed()) {
    if (message.role === 'toolResult') break;
    if (message.role === 'assistant' && !isBroken(message) && callsOf(message).length === 0) texts++;
  }
  return texts;
}

/** `model`: the model is at fault, so a flow may take over. */
function failed(reason: string, turns: number, model = false): RunOutcome {
  return { status: 'failed', reason, summary: { turns, ...(model ? { model_failed: true } : {}) } };
}

function finishResult(message: Message): Readonly<Record<string, unknown>> | undefined {
  const details = message['details'];
  if (message['isError'] === true || !isObject(details)) return undefined;
  return isObject(details['result']) ? details['result'] : undefined;
}

function callsOf(message: Message): Block[] {
  const { content } = message;
  return Array.isArray(content) ? (content as Block[]).filter(({ type }) => type === 'toolCall') : [];
}

function textOf({ content }: Message): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return (content as Block[])
    .map((part) => (part.type === 'text' ? String(part['text']) : ''))
    .join('\n')
    .trim();
}

function isBroken(message: Message): boolean {
  return message['stopReason'] === 'error' || message['stopReason'] === 'aborted';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
