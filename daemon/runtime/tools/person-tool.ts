import type { Tool } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { closed, houseTool, Seconds, Words } from './kit.ts';
import type { QuestionDesk } from './question-desk.ts';

const TIMEOUT_S = 300;
/** The end of a question is written before the call returns, milliseconds. */
const GRACE_MS = 5_000;

/** A question to a person, answered by the API, the command line or the console. */
export function personTool(desk: QuestionDesk): Tool {
  return houseTool({
    name: 'person.ask',
    description:
      'Asks a person and waits for the answer. For what only people can know or decide. The robot stands ' +
      'meanwhile unless something else moves it. When no answer comes in time the result says so.',
    input: Type.Object(
      {
        question: Words(2_000, 'one question, with what is needed to answer it'),
        choices: Type.Optional(
          Type.Array(Words(200, 'an answer'), {
            minItems: 2,
            maxItems: 8,
            uniqueItems: true,
            description: 'the answer is one of these; absent: free text',
          }),
        ),
        otherwise: Type.Optional(Words(200, 'what counts when no answer comes in time')),
        timeout_s: Type.Optional(
          Seconds(5, 86_400, `how long an answer is waited for; ${TIMEOUT_S} where absent`),
        ),
        approval: Type.Optional(
          Type.Boolean({ description: 'the answer is an approval: only who may approve may give it' }),
        ),
      },
      closed,
    ),
    effect: 'write',
    // Under the same call it is the same question: no person is asked twice.
    replay: 'safe',
    deadlineMs: TIMEOUT_S * 1_000 + GRACE_MS,
    callDeadlineMs: ({ timeout_s = TIMEOUT_S }) => timeout_s * 1_000 + GRACE_MS,
    run: async ({ question, choices = [], otherwise, timeout_s = TIMEOUT_S, approval = false }, scope) => {
      const { callId, runId, intent, signal } = scope;
      const settled = await desk.ask({
        questionId: callId,
        runId,
        intent,
        text: question,
        choices,
        fallback: otherwise,
        timeoutMs: timeout_s * 1_000,
        isApproval: approval,
        signal,
      });
      const answered = settled.state === 'answered';
      return {
        result: {
          answered,
          answer: settled.answer ?? null,
          ...(answered ? { by: settled.by } : { note: 'no answer came in time' }),
        },
      };
    },
  });
}
