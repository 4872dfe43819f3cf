import type { Command } from 'commander';
import type { LeaseView } from '../../contract/core.ts';
import { action } from '../context.ts';
import { defaultCommand } from '../default-command.ts';

export function addLeaseCommands(program: Command): void {
  const lease = program.command('lease').description('who may command actuators');
  defaultCommand(lease, 'status')
    .description('show who holds the actuation lease')
    .action(
      action(async ({ api, out }) => {
        const view = await api.get<LeaseView>('/v1/lease');
        out.result(view, () => leaseText(view));
        return 0;
      }),
    );
  lease
    .command('take')
    .description('take it; who has it with a lower priority loses it, and the robot stops first')
    .option('--role <role>', 'teleoperation, central or autonomy', 'teleoperation')
    .option('--ttl <seconds>', 'it is lost unless it is renewed within this time')
    .option('--name <name>', 'which of your programs')
    .addHelpText('after', '\nExample:\n  auraison lease take --ttl 30')
    .action(
      action(async ({ api, out }, { role, ttl, name }: { role: string; ttl?: string; name?: string }) => {
        const view = await api.post<LeaseView>('/v1/lease', {
          role,
          ...(ttl === undefined ? {} : { ttl_ms: Math.round(Number(ttl) * 1000) }),
          ...(name === undefined ? {} : { holder: name }),
        });
        out.result(view, () => leaseText(view));
        return 0;
      }),
    );
  for (const [word, about] of [
    ['renew', 'it lives for its time again from now'],
    ['return', 'give it back; the robot stops first'],
  ] as const)
    lease
      .command(`${word} <id>`)
      .description(about)
      .action(
        action(async ({ api, out }, id: string) => {
          const view = await api.post<LeaseView>(`/v1/lease/${word}`, { lease_id: Number(id) });
          out.result(view, () => leaseText(view));
          return 0;
        }),
      );
}

function leaseText({ state, lease_id, holder, role, remaining_ms }: LeaseView): string {
  if (state !== 'held') return state === 'free' ? 'free' : 'the robot is being stopped';
  return `${holder} (${role}) has lease ${lease_id}, ${((remaining_ms ?? 0) / 1000).toFixed(1)} s left`;
}
