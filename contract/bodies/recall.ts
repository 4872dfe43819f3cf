import { Type } from 'typebox';
import { RECALL_KINDS, RECALL_LIMITS } from '../recall-limits.ts';
import { ask, count, done, flag, list, maybe, nothing, number, oneOf, reply, text, wireTime } from './kit.ts';

const kind = oneOf(RECALL_KINDS);

/** The caller. `all`: it may see the texts of every tenant. */
export const RecallAsker = reply({ tenant: text, principal: text, all: flag });
/** `question` absent: the newest texts. `withinS`: not older than so many seconds. */
export const RecallRequest = ask({
  question: Type.Optional(Type.String({ minLength: 1, maxLength: RECALL_LIMITS.QUESTION_CHARS_MAX })),
  kinds: Type.Optional(Type.Array(kind, { minItems: 1, maxItems: RECALL_KINDS.length })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: RECALL_LIMITS.TEXTS_MAX })),
  withinS: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e10 })),
  /** The run whose agent asks. */
  runId: Type.Optional(text),
  by: RecallAsker,
});

/** A text that was found. `at`: when it was said, or the file was changed; `source`: run, recording or file. */
export const RecallText = reply({
  id: text,
  kind,
  sha256: text,
  /** Between texts of one answer only. */
  score: number,
  at: wireTime,
  source: text,
  text,
});
/** How an answer was found: by the words alone, and why, or by the meaning too. */
export const RecallHow = reply({
  how: oneOf(['words', 'meaning', 'newest']),
  /** Why not by meaning, with what to do; empty: by meaning, or nothing was asked. */
  why: text,
  /** The model of the vectors, and its digest; empty: none. */
  model: text,
  modelSha256: text,
  /** Texts that have no vector yet, and events that are not read yet. */
  waiting: count,
  unread: count,
  /** Documents that cannot be read, and other things that are missing. */
  notes: list(text),
});
export const RecallAnswer = reply({
  recallId: text,
  at: wireTime,
  ...RecallHow.properties,
  texts: list(RecallText),
  /** Over ids and digests of the texts, in their order. */
  sha256: text,
});

/** The same question, asked again of what the index has of the time of the recording. */
export const RecallAgainRequest = ask({ recallId: text, by: RecallAsker });
export const RecallAgain = reply({
  recorded: reply({
    ...RecallAnswer.properties,
    question: text,
    kinds: list(kind),
    limit: count,
    tenant: text,
    principal: text,
    runId: maybe(text),
  }),
  /** The same texts in the same order. */
  same: flag,
  /** What differs, in words; empty: nothing. */
  differences: list(text),
  now: reply({ ...RecallHow.properties, texts: list(RecallText), sha256: text }),
});

/** `open`: false while nothing was asked for a while; counts are then those of the last time, or 0. */
export const RecallStatus = reply({
  open: flag,
  texts: count,
  waiting: count,
  model: text,
  why: text,
  notes: list(text),
});

export const RECALL_BODIES = {
  'recall.ask': { ask: RecallRequest, reply: RecallAnswer },
  'recall.again': { ask: RecallAgainRequest, reply: RecallAgain },
  'recall.status': { ask: nothing, reply: RecallStatus },
  'recall.rebuild': { ask: nothing, reply: done },
} as const;
