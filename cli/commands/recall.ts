import type { Command } from 'commander';
import { EdgeError, RECALL_KINDS, RECALL_LIMITS } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { action, type CommandContext } from '../context.ts';
import type { Output } from '../output.ts';

type Text = {
  readonly id: string;
  readonly kind: string;
  readonly at_ns: string;
  readonly source: string;
  readonly score: number;
  readonly text: string;
};
type Found = {
  readonly how: string;
  readonly why: string;
  readonly waiting: number;
  readonly unread: number;
  readonly notes: readonly string[];
  readonly texts: readonly Text[];
};
type Answer = Found & { readonly recall_id: string };
type Again = {
  readonly recorded: Answer & {
    readonly question: string;
    readonly at_ns: string;
    readonly principal: string;
  };
  readonly same: boolean;
  readonly differences: readonly string[];
};
type Status = {
  readonly texts: number;
  readonly waiting: number;
  readonly model: string;
  readonly why: string;
  readonly notes: readonly string[];
};
type Options = {
  readonly limit?: string;
  readonly kind?: readonly string[];
  readonly withinH?: string;
  readonly again?: string;
  readonly status?: boolean;
  readonly rebuild?: boolean;
};

const SHOWN_CHARS = 400;

export function addRecallCommand(program: Command): void {
  program
    .command('recall [question]')
    .description('find what was noted, answered, planned, decided or written before; each answer is recorded')
    .option('--limit <count>', `texts at most, up to ${RECALL_LIMITS.TEXTS_MAX}`)
    .option('--kind <kind...>', `only these: ${RECALL_KINDS.join(', ')}`)
    .option('--within-h <hours>', 'not older than this')
    .option(
      '--again <id>',
      'ask a recorded question again, and say what differs; exit code 1 where something does',
    )
    .option('--status', 'how many texts are found, and whether they are searched by meaning')
    .option('--rebuild', 'drop the index and fill it again from the logs and documents')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison recall "where can the robot be charged?"\n  auraison recall "why was the door not opened" --kind decision answer\n  auraison recall --again 019ac3f2-7b1e-7c44-9f0d-2a6b8d1e5f70\n  auraison recall --status\n\nWithout the model (auraison models add recall) it searches by words only, and says so.',
    )
    .action(
      action(async ({ api, out }: CommandContext, question: string | undefined, options: Options) => {
        if (options.again !== undefined) return await again(api, out, options.again);
        if (options.rebuild) return await rebuild(api, out);
        if (options.status) return await status(api, out);
        if (question === undefined)
          throw wrong('question', 'what to look for is missing', 'auraison recall "where is the charger?"');
        const body = {
          question,
          ...(options.limit === undefined ? {} : { limit: numberOf('--limit', options.limit, true) }),
          ...(options.kind === undefined ? {} : { kinds: options.kind }),
          ...(options.withinH === undefined
            ? {}
            : { within_s: 3_600 * numberOf('--within-h', options.withinH, false) }),
        };
        const answer = await api.post<Answer>('/v1/recall', body);
        out.result(answer, () => answerText(answer));
        return 0;
      }),
    );
}

async function again(api: ApiClient, out: Output, id: string): Promise<number> {
  const found = await api.get<Again>(`/v1/recall/recorded/${encodeURIComponent(id)}`);
  out.result(found, () => {
    const { question, at_ns, principal, texts } = found.recorded;
    const asked = question === '' ? 'the newest texts' : `"${question}"`;
    return [
      `${asked}, asked by ${principal} at ${dateOf(at_ns)}: ${texts.length} texts`,
      ...(found.same ? ['same'] : ['differs:', ...found.differences.map((text) => `  ${text}`)]),
    ].join('\n');
  });
  return found.same ? 0 : 1;
}

async function rebuild(api: ApiClient, out: Output): Promise<number> {
  const reply = await api.post<{ done: boolean }>('/v1/recall/rebuild', {});
  out.result(reply, () => (reply.done ? 'rebuilt' : 'being rebuilt'));
  return 0;
}

async function status(api: ApiClient, out: Output): Promise<number> {
  const found = await api.get<Status>('/v1/recall');
  out.result(found, () =>
    [
      `${found.texts} texts`,
      found.model === '' ? found.why : `by words and by meaning (${found.model})`,
      ...(found.model !== '' && found.why !== '' ? [`the model failed: ${found.why}`] : []),
      ...(found.model !== '' && found.waiting > 0 ? [`${found.waiting} of them have no vector yet`] : []),
      ...found.notes,
    ].join('\n'),
  );
  return 0;
}

function answerText({ texts, how, why, waiting, unread, notes, recall_id }: Answer): string {
  const found = texts.map(({ kind, at_ns, source, text }) => {
    const short = text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
    return `${kind}  ${dateOf(at_ns)}  ${source}\n${printable(short).replaceAll(/^/gm, '  ')}`;
  });
  const remarks = [
    ...(why === '' ? [] : [why]),
    ...(how === 'meaning' && waiting > 0 ? [`${waiting} texts have no vector yet`] : []),
    ...(unread > 0 ? [`${unread} events and documents are not read yet: ask again`] : []),
    ...notes,
  ];
  return [
    ...(found.length === 0 ? ['nothing was found'] : found),
    ...remarks.map((remark) => `(${remark})`),
    `recorded as ${recall_id}`,
  ].join('\n');
}

/** What others wrote does not write into the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{C}\n]/gu, ' ');
}

function dateOf(ns: string): string {
  return new Date(Number(BigInt(ns) / 1_000_000n)).toISOString().slice(0, 19).replace('T', ' ');
}

function numberOf(flag: string, given: string, isWhole: boolean): number {
  const value = Number(given);
  if (given.trim() !== '' && value > 0 && (isWhole ? Number.isInteger(value) : Number.isFinite(value)))
    return value;
  throw wrong(flag, `${flag} ${given}: a ${isWhole ? 'whole ' : ''}number above 0 expected`, `${flag} 5`);
}

function wrong(subject: string, message: string, example: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'recall',
    subject,
    message,
    hint: `for example: ${example}`,
  });
}
