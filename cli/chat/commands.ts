/** What a typed line means. Pure. */
export type Said =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'follow'; readonly text: string }
  | { readonly kind: 'approve'; readonly decision: 'allow' | 'deny'; readonly name: string }
  | { readonly kind: 'model'; readonly text: string }
  | { readonly kind: 'thinking'; readonly text: string }
  | { readonly kind: 'compact'; readonly text: string }
  | { readonly kind: 'answer'; readonly text: string }
  | { readonly kind: 'stop' | 'close' | 'quit' | 'help' | 'nothing' }
  | { readonly kind: 'wrong'; readonly why: string };

const WITH_TEXT = { '/follow': 'follow', '/answer': 'answer' } as const;
const OPTIONAL_TEXT = { '/model': 'model', '/thinking': 'thinking', '/compact': 'compact' } as const;
const ALONE = {
  '/stop': 'stop',
  '/close': 'close',
  '/quit': 'quit',
  '/exit': 'quit',
  '/help': 'help',
} as const;

export const HELP = `a line              says it; while the agent works it counts before its next turn
/follow TEXT        counts when the agent has done its work
y or n              answers the approval that waits; with several: y ID, n ID
/answer TEXT        answers the question of the agent
/stop, Ctrl-C       ends what it does now, its motion first; Ctrl-C again leaves
/model [NAME]       another model from the next turn on; without a name: which there are
/thinking LEVEL     off, minimal, low, medium, high, xhigh
/compact            replaces what was said by a summary
/close              ends the session once it waits
/quit               leaves; the session stays, and continues what it does
//text              says a line that starts with a slash`;

/** `asking`: an approval waits, so that y and n are answers and no words. */
export function meaningOf(line: string, asking: boolean): Said {
  const text = line.trim();
  if (text === '') return { kind: 'nothing' };
  if (text.startsWith('//')) return { kind: 'say', text: text.slice(1) };
  const yesNo = /^(y|yes|n|no)(?:\s+([0-9a-f-]{4,36}))?$/i.exec(text);
  if (yesNo && (asking || yesNo[2] !== undefined))
    return {
      kind: 'approve',
      decision: /^y/i.test(text) ? 'allow' : 'deny',
      name: (yesNo[2] ?? '').toLowerCase(),
    };
  if (!text.startsWith('/')) return { kind: 'say', text };
  const word = text.split(/\s/, 1)[0]!;
  const rest = text.slice(word.length).trim();
  if (Object.hasOwn(WITH_TEXT, word)) {
    const kind = WITH_TEXT[word as keyof typeof WITH_TEXT];
    return rest === ''
      ? { kind: 'wrong', why: `${word} needs a text, for example ${word} the left one` }
      : { kind, text: rest };
  }
  if (word === '/thinking' && rest === '')
    return { kind: 'wrong', why: '/thinking needs a level: off, minimal, low, medium, high, xhigh' };
  if (Object.hasOwn(OPTIONAL_TEXT, word))
    return { kind: OPTIONAL_TEXT[word as keyof typeof OPTIONAL_TEXT], text: rest };
  if (Object.hasOwn(ALONE, word)) return { kind: ALONE[word as keyof typeof ALONE] };
  return {
    kind: 'wrong',
    why: `there is no command ${word}; /help lists them, and //… says a line with a slash`,
  };
}
