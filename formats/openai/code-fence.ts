const FENCE = '```';

/**
 * The content of a code fence, if the whole text is one: models often wrap requested JSON in a fence.
 * Undefined otherwise. In one pass: the text is untrusted, and a pattern that looks for the end from every
 * blank takes hours for a long one. Pure.
 */
export function fencedText(text: string): string | undefined {
  const body = text.trim();
  const isFence = body.length >= 2 * FENCE.length && body.startsWith(FENCE) && body.endsWith(FENCE);
  if (!isFence) return undefined;
  // The name of a language, if there is one.
  const inner = body.slice(FENCE.length, -FENCE.length).replace(/^[a-z_]+/, '');
  return inner.trim();
}
