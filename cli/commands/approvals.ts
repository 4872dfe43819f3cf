import type { Command } from 'commander';
import type { Approval } from '../../contract/core.ts';
import { action } from '../context.ts';
import { defaultCommand } from '../default-command.ts';
import { table } from '../output.ts';

export function addApprovalsCommands(program: Command): void {
  const approvals = program
    .command('approvals')
    .description('what waits for the word of a person: list, allow, deny');
  defaultCommand(approvals, 'list')
    .description('what waits, the oldest first')
    .option('--all', 'the answered ones too')
    .addHelpText('after', '\nExamples:\n  auraison approvals\n  auraison approvals list --all --json')
    .action(
      action(async ({ api, out }, options: { all?: boolean }) => {
        const { approvals: found } = await api.get<{ approvals: Approval[] }>(
          `/v1/approvals${options.all === true ? '?all=true' : ''}`,
        );
        out.result(found, () => listText(found));
        return 0;
      }),
    );
  for (const decision of ['allow', 'deny'] as const) {
    approvals
      .command(`${decision} <approval>`)
      .description(decision === 'allow' ? 'agree: the run continues' : 'refuse: the run gets the refusal')
      .option('--reason <text>', 'why, for the log', '')
      .addHelpText(
        'after',
        `\nExample:\n  auraison approvals ${decision} 0198c2f0 --reason "no person is near"`,
      )
      .action(
        action(async ({ api, out }, wanted: string, options: { reason: string }) => {
          const { approvals: waiting } = await api.get<{ approvals: Approval[] }>('/v1/approvals');
          const fitting = waiting.filter(({ approval_id }) => approval_id.startsWith(wanted));
          const id = fitting.length === 1 ? fitting[0]!.approval_id : wanted;
          const answered = await api.post<Approval>(`/v1/approvals/${encodeURIComponent(id)}/answer`, {
            decision,
            reason: options.reason,
          });
          out.result(answered, () => `${answered.state}: ${answered.point} ${answered.subject}`);
          return 0;
        }),
      );
  }
}

function listText(approvals: readonly Approval[]): string {
  if (approvals.length === 0) return 'nothing waits for anybody';
  return table(
    ['APPROVAL', 'STATE', 'WHAT', 'ASKED BY', 'UNTIL', 'ROLES', 'WHY'],
    approvals.map((one) => [
      one.approval_id,
      one.by === undefined ? one.state : `${one.state} by ${one.by}`,
      `${one.point} ${one.subject}`,
      one.principal,
      new Date(Number(BigInt(one.expires_ts) / 1_000_000n)).toLocaleTimeString('sv-SE'),
      one.roles.join(' or '),
      one.reason,
    ]),
  );
}
