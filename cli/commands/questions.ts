import type { Command } from 'commander';
import type { Question } from '../../contract/core.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

export function addQuestionsCommands(program: Command): void {
  const questions = program
    .command('questions')
    .description('what runs ask people: those that wait for an answer')
    .option('--all', 'the settled ones too')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison questions\n  auraison questions answer 0198c2f0-… "the left door"\n  auraison questions --all --json | jq ".[] | {text, answer, by}"',
    )
    .action(
      action(async ({ api, out }, options: { all?: boolean }) => {
        const path = options.all === true ? '/v1/questions?all=true' : '/v1/questions';
        const { questions: found } = await api.get<{ questions: Question[] }>(path);
        out.result(found, () => listText(found));
        return 0;
      }),
    );
  questions
    .command('answer <question> <answer>')
    .description('answer a question by its id, or by the start of it where only one waits that starts so')
    .addHelpText('after', '\nExample:\n  auraison questions answer 0198c2f0 yes')
    .action(
      action(async ({ api, out }, wanted: string, answer: string) => {
        const { questions: waiting } = await api.get<{ questions: Question[] }>('/v1/questions');
        const fitting = waiting.filter(({ question_id }) => question_id.startsWith(wanted));
        const id = fitting.length === 1 ? fitting[0]!.question_id : wanted;
        const settled = await api.post<Question>(`/v1/questions/${encodeURIComponent(id)}/answer`, {
          answer,
        });
        out.result(settled, () => `answered: ${settled.text} -> ${settled.answer}`);
        return 0;
      }),
    );
}

function listText(questions: readonly Question[]): string {
  if (questions.length === 0) return 'no questions';
  return table(
    ['QUESTION', 'STATE', 'ASKS', 'CHOICES', 'UNTIL', 'ANSWER'],
    questions.map(({ question_id, state, text, choices, expires_ts, answer }) => [
      question_id,
      state,
      text.length > 80 ? `${text.slice(0, 79)}…` : text,
      choices.join(' | '),
      new Date(Number(BigInt(expires_ts) / 1_000_000n)).toLocaleTimeString('sv-SE'),
      answer ?? '',
    ]),
  );
}
