import { type BodySide, bodyFits, bodyRefusal, NEVER_REFUSED } from '../../contract/core.ts';

/**
 * One call within a test: bodies are cloned as between processes, and each has to fit its schema, as in
 * production; the answer of a stop too. A test cannot answer what production may not.
 */
export async function answerChecked(
  call: string,
  body: unknown,
  answer: (body: unknown) => unknown,
): Promise<unknown> {
  const asked = structuredClone(body);
  // Calls reach their handlers in the order in which they were made.
  await undefined;
  if (!NEVER_REFUSED.has(call)) {
    const refused = check(call, 'ask', asked);
    if (refused) await refused;
  }
  const said = structuredClone(await answer(asked));
  const wrong = check(call, 'reply', said);
  if (wrong) await wrong;
  return said;
}

function check(call: string, side: BodySide, body: unknown): Promise<void> | undefined {
  if (bodyFits(call, side, body)) return undefined;
  return bodyRefusal(call, side, body).then((error) => {
    throw error;
  });
}
