import { EdgeError } from '../../contract/core.ts';

/**
 * The topics of a bag that are wanted: those that fit one of `include` (none: all) and none of `exclude`. In a
 * pattern `*` stands for any characters, slashes too, and `?` for one; a leading slash may be left out. Throws
 * `schema.invalid` for an `include` without a match, with the list of topics. Undefined: all of them.
 */
export function wantedTopics(
  topics: readonly { readonly topic: string }[],
  include: readonly string[] = [],
  exclude: readonly string[] = [],
): Set<string> | undefined {
  if (include.length === 0 && exclude.length === 0) return undefined;
  const names = topics.map(({ topic }) => topic);
  const wanted = new Set<string>(include.length === 0 ? names : []);
  for (const pattern of include) {
    const fitting = names.filter(matcherOf(pattern));
    if (fitting.length === 0) throw noSuchTopic(pattern, names);
    for (const name of fitting) wanted.add(name);
  }
  const refused = exclude.map(matcherOf);
  for (const name of wanted) if (refused.some((matches) => matches(name))) wanted.delete(name);
  return wanted;
}

export function matcherOf(pattern: string): (topic: string) => boolean {
  const full = /^[/*?~]/.test(pattern) ? pattern : `/${pattern}`;
  if (!/[*?]/.test(full)) return (topic) => topic === full || topic === pattern;
  const parts = full.split('*');
  return (topic) => fits(parts, topic);
}

/** Greedy matching of the parts between stars: linear, where a regular expression could take for ever. */
function fits(parts: readonly string[], topic: string): boolean {
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (parts.length === 1) return first.length === topic.length && at(first, topic, 0);
  if (!at(first, topic, 0) || topic.length < first.length + last.length) return false;
  let from = first.length;
  const end = topic.length - last.length;
  for (const part of parts.slice(1, -1)) {
    while (from + part.length <= end && !at(part, topic, from)) from += 1;
    if (from + part.length > end) return false;
    from += part.length;
  }
  return at(last, topic, end);
}

function at(part: string, topic: string, from: number): boolean {
  if (from + part.length > topic.length) return false;
  for (let i = 0; i < part.length; i++) if (part[i] !== '?' && part[i] !== topic[from + i]) return false;
  return true;
}

function noSuchTopic(pattern: string, names: readonly string[]): EdgeError {
  const shown = names.slice(0, 20).join(' ');
  return new EdgeError('schema.invalid', {
    operation: 'choose topics',
    subject: pattern,
    message: `no topic of the bag matches ${pattern}`,
    hint:
      names.length === 0 ? 'the bag has no topics' : `it holds: ${shown}${names.length > 20 ? ' ...' : ''}`,
  });
}
