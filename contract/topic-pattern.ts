/**
 * Patterns over topics and keys, with the wildcards of Zenoh: `*` one chunk, `**` any number of chunks, `$*` any
 * characters within a chunk. A leading slash is no matter: `/camera/**` and `camera/**` are one pattern.
 */
export type Wildcard = '*' | '**' | '$*';
export type TopicPattern = {
  readonly text: string;
  readonly wildcards: readonly Wildcard[];
  /** What each wildcard stands for in `name`, in order; undefined where it does not match. */
  match(name: string): readonly string[] | undefined;
};

/** More wildcards or characters than this are a mistake, and would cost time at every new topic. */
const WILDCARDS_MAX = 4;
const CHARACTERS_MAX = 256;
const PLACEHOLDER = /\{([a-z]*)\}/g;

/** What is wrong with a pattern, for a person; undefined when it is right. */
export function patternFault(text: string): string | undefined {
  const bare = withoutSlash(text);
  if (bare === '') return 'is empty';
  if (bare.length > CHARACTERS_MAX) return `has more than ${CHARACTERS_MAX} characters`;
  for (const chunk of bare.split('/')) {
    if (chunk === '') return 'has an empty chunk, or a slash at its end';
    if (/[#?\s{}]/.test(chunk)) return `has a forbidden character in '${chunk}'`;
    if (chunk === '*' || chunk === '**') continue;
    if (chunk === '$*') return "has '$*' as a whole chunk: write '*'";
    if (chunk.replaceAll('$*', '').includes('*')) return `has a '*' inside '${chunk}': write '$*'`;
    if (chunk.replaceAll('$*', '').includes('$')) return `has a '$' without '*' in '${chunk}'`;
  }
  if (bare.includes('**/**')) return "has '**/**': write '**'";
  return wildcardsOf(bare).length > WILDCARDS_MAX ? `has more than ${WILDCARDS_MAX} wildcards` : undefined;
}

/** `text` must be without fault. */
export function compilePattern(text: string): TopicPattern {
  const bare = withoutSlash(text);
  const chunks = bare.split('/');
  let source = '';
  for (const [i, chunk] of chunks.entries()) {
    const slash = i === 0 ? '' : '/';
    if (chunk !== '**') {
      const open = chunks[i - 1] === '**' && i === 1 ? '' : slash;
      source += `${open}${chunk === '*' ? '([^/]+)' : chunk.split('$*').map(quoted).join('([^/]*)')}`;
    } else if (i === 0) source += chunks.length === 1 ? '(.*)' : '(?:(.*)/)?';
    else source += '(?:/(.*))?';
  }
  const regex = new RegExp(`^${source}$`);
  return {
    text: bare,
    wildcards: wildcardsOf(bare),
    match: (name) =>
      regex
        .exec(withoutSlash(name))
        ?.slice(1)
        .map((part) => part ?? ''),
  };
}

/** What is wrong with a template for names that match `from`; undefined when it is right. */
export function templateFault(
  template: string,
  from: TopicPattern,
  placeholders: readonly string[],
): string | undefined {
  const unknown = [...template.matchAll(PLACEHOLDER)].find(([, name]) => !placeholders.includes(name!));
  if (unknown)
    return `has the unknown placeholder ${unknown[0]}: ${placeholders.map((p) => `{${p}}`).join(', ')}`;
  const plain = patternFault(template.replaceAll(PLACEHOLDER, 'x'));
  if (plain) return plain;
  const wildcards = wildcardsOf(withoutSlash(template));
  if (wildcards.length > 0) {
    const same =
      wildcards.length === from.wildcards.length && wildcards.every((w, i) => w === from.wildcards[i]);
    return same
      ? undefined
      : `has the wildcards ${wildcards.join(' ')}, but the other end has ${from.wildcards.join(' ') || 'none'}`;
  }
  if (from.wildcards.length > 0 && !template.includes('{topic}'))
    return 'sends several topics to one name: use the same wildcards as the other end, or {topic}';
  return undefined;
}

/** Names one target: wildcards take what they stand for in `captures`, placeholders their value. No leading slash. */
export function fillTemplate(
  template: string,
  captures: readonly string[],
  values: Readonly<Record<string, string>>,
): string {
  let next = 0;
  const filled = withoutSlash(template)
    .split('/')
    .map((chunk) =>
      chunk === '*' || chunk === '**'
        ? (captures[next++] ?? '')
        : chunk.replaceAll('$*', () => captures[next++] ?? ''),
    )
    .join('/')
    .replaceAll(PLACEHOLDER, (whole, name: string) => values[name] ?? whole);
  // `**` may stand for nothing, and a prefix may be empty.
  return filled
    .split('/')
    .filter((chunk) => chunk !== '')
    .join('/');
}

export function withoutSlash(name: string): string {
  return name.startsWith('/') ? name.slice(1) : name;
}

function wildcardsOf(bare: string): Wildcard[] {
  return bare.split('/').flatMap((chunk) => {
    if (chunk === '*' || chunk === '**') return [chunk as Wildcard];
    return [...chunk.matchAll(/\$\*/g)].map((): Wildcard => '$*');
  });
}

function quoted(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
