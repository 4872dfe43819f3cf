import type { AgentEvent, SessionEntryView } from '../../../contract/index.ts';

/** Characters of a line that people see of an entry. */
const TEXT_MAX = 160;

type Entry = Readonly<Record<string, unknown>>;

/**
 * A session tree as people look at it: entries in the order of the log, each with its label and its first line. The
 * leaf is the newest entry. Pure; an entry of an unknown kind is shown by its kind alone.
 */
export function sessionView(events: readonly AgentEvent<'session.entry'>[]): readonly SessionEntryView[] {
  const labels = new Map<string, string | undefined>();
  for (const { payload } of events) {
    const { type, targetId, label } = payload.entry;
    if (type === 'label' && typeof targetId === 'string')
      labels.set(targetId, typeof label === 'string' && label !== '' ? label : undefined);
  }
  const leaf = events.at(-1)?.payload.entry_id;
  return events.map(({ payload: { entry_id, parent_id, entry }, ts }) => ({
    entry_id,
    parent_id,
    kind: kindOf(entry),
    ts,
    text: lineOf(entry),
    label: labels.get(entry_id),
    leaf: entry_id === leaf,
  }));
}

function kindOf({ type, message }: Entry): string {
  const role = (message as Entry | null | undefined)?.['role'];
  const kind = type === 'message' && typeof role === 'string' ? role : type;
  return typeof kind === 'string' ? kind.slice(0, 64) : 'unknown';
}

function lineOf(entry: Entry): string {
  const { message, summary, modelId, label, thinkingLevel, customType, content, name } = entry;
  const said = textOf((message as Entry | null | undefined)?.['content'] ?? content);
  const text = [said, summary, modelId, label, thinkingLevel, customType, name].find(
    (one): one is string => typeof one === 'string' && one !== '',
  );
  const line = (text ?? '').trim().split('\n', 1)[0]!;
  // Whole characters only, and none that would move the cursor of a terminal.
  const clean = line.replace(/\p{Cc}/gu, ' ');
  return clean.length <= TEXT_MAX ? clean : `${[...clean].slice(0, TEXT_MAX - 1).join('')}…`;
}

/** Text of a content: words first, else which tools were asked for. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  const parts = content.filter((part): part is Entry => typeof part === 'object' && part !== null);
  const words = parts.find(({ type, text }) => type === 'text' && typeof text === 'string' && text !== '');
  if (words) return words['text'] as string;
  const calls = parts.filter(({ type }) => type === 'toolCall').map(({ name }) => String(name));
  if (calls.length > 0) return `calls ${calls.join(', ')}`;
  return parts.some(({ type }) => type === 'image') ? 'an image' : '';
}
