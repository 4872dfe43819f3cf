import type { PolicyContext, QuestionApi } from '../../../contract/index.ts';

/** Rejects with `robot.preempted` after the stop, where the words are an order to stop: `StopInWords.refuse`. */
export type RefuseStop = (operation: string, words: string, who: PolicyContext) => Promise<void>;

/**
 * Answers of people to questions. "Stop!" is an order, whatever was asked, and whether or not the question still waits.
 * Only where the question itself offered these words, they are the answer that it asked for.
 */
export function stoppingAnswers(desk: QuestionApi, refuse: RefuseStop): QuestionApi {
  return {
    questions: (filter) => desk.questions(filter),
    async answerQuestion(questionId, answer, who) {
      const asked = desk.questions({ all: true }).find(({ question_id }) => question_id === questionId);
      const isOffered = asked?.tenant === who.tenant && asked.choices.includes(answer);
      if (!isOffered) await refuse('answer', answer, who);
      return desk.answerQuestion(questionId, answer, who);
    },
  };
}
