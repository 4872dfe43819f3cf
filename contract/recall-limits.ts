/** What recall takes and gives. */
export const RECALL_LIMITS = {
  /** A question, characters. */
  QUESTION_CHARS_MAX: 2_000,
  /** Texts of one answer, and where the caller does not say. */
  TEXTS_MAX: 50,
  TEXTS: 8,
  /** One text, characters: what is longer is cut into several (documents) or at its end. */
  TEXT_CHARS_MAX: 2_000,
  /** Texts of one answer together, bytes: what one answer may cost the context of a model. */
  ANSWER_BYTES_MAX: 48 * 1024,
  /** Time of one question, milliseconds: reading what is new, vectors of it, and the search. */
  ASK_MS: 15_000,
  /** Questions of a guest tenant in a minute: each is recorded with its answer, and searches what the robot remembers. */
  GUEST_PER_MINUTE: 30,
} as const;

/** What may be found, by where it comes from. Ids of texts start with it, so that none replaces one of another kind. */
export const RECALL_KINDS = [
  ...(['note', 'answer', 'caption', 'plan', 'decision', 'run', 'annotation', 'document'] as const),
] as const;
export type RecallKind = (typeof RECALL_KINDS)[number];
