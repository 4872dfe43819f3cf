import type { Command } from 'commander';
import { openEventReader } from '../../adapters/event-log/index.ts';
import {
  type AgentEvent,
  EdgeError,
  type EventReader,
  type GrantView,
  type PolicyView,
  type QuotaView,
} from '../../contract/core.ts';
import type { Settings } from '../../daemon/settings.ts';
import { rejudge, requestOf } from '../../history/rejudge.ts';
import { action } from '../context.ts';
import { defaultCommand } from '../default-command.ts';
import { addEvalCommand } from '../learning/eval-command.ts';
import { addShelfCommands } from '../learning/shelf-commands.ts';
import { addTrainCommand } from '../learning/train-command.ts';
import { table } from '../output.ts';
import { runCases } from '../policy/cases.ts';

const LOGS = ['runtime', 'link'] as const;

export function addPolicyCommands(program: Command): void {
  const policy = program
    .command('policy')
    .description(
      'who may do what: show, check, test, explain, rejudge, reload, grants; what was learned: train, list, register, export, eval',
    );
  defaultCommand(policy, 'show')
    .description('policies in force: hash, files, ids')
    .action(
      action(async ({ api, out }) => {
        const view = await api.get<PolicyView>('/v1/policy');
        out.result(view, () => viewText(view));
        return view.reload_error === undefined ? 0 : 1;
      }),
    );
  policy
    .command('reload')
    .description('have the daemon read the policy files again; a fault keeps what is in force')
    .action(
      action(async ({ api, out }) => {
        const view = await api.post<PolicyView>('/v1/policy/reload');
        out.result(view, () => viewText(view));
        return 0;
      }),
    );
  policy
    .command('check')
    .description(
      'read and check policies of the site and of packages without a daemon; exit code 1 for a fault',
    )
    .option('--policy <folder>', 'folder instead of policy.dir')
    .addHelpText('after', '\nExample:\n  auraison policy check --policy policies/')
    .action(
      action(async ({ settings, out }, options: { policy?: string }) => {
        const { judge, warnings, packages, refused } = await lawOf(settings, options.policy);
        const view = {
          policy_sha256: judge.sha256,
          warnings,
          packages: packages.map(({ name, policies = [] }) => ({
            app: name,
            files: policies.map(({ file }) => file),
          })),
          refused: refused.map(({ name, folder, reason }) => ({ app: name, folder, reason })),
        };
        out.result(view, () =>
          [
            ...view.warnings.map((warning) => `warning: ${warning}`),
            ...view.packages.map(({ app, files }) => `package ${app}: ${files.join(', ')}`),
            ...view.refused.map(
              ({ app, folder, reason }) => `NOT TAKEN: package ${app} (${folder}): ${reason}`,
            ),
            `${refused.length === 0 ? 'fine' : 'the site is fine'}: ${view.policy_sha256}`,
          ].join('\n'),
        );
        return refused.length === 0 ? 0 : 1;
      }),
    );
  policy
    .command('test <file>')
    .description(
      'judge cases of a TOML or JSON file as the daemon would; exit code 1 when one is not as expected',
    )
    .option('--policy <folder>', 'folder instead of policy.dir')
    .addHelpText('after', '\nExample:\n  auraison policy test cases.toml --policy policies/')
    .action(
      action(async ({ settings, out }, file: string, options: { policy?: string }) => {
        const results = runCases(file, (await lawOf(settings, options.policy)).decide);
        const wrong = results.filter(({ ok }) => !ok).length;
        out.result(results, () =>
          [
            ...results.map(
              ({ name, ok, expected, found }) =>
                `${ok ? 'ok  ' : 'FAIL'}  ${name}: ${found.decision} (${found.reason})${ok ? '' : `; expected ${expected}`}`,
            ),
            `${results.length - wrong} of ${results.length} as expected`,
          ].join('\n'),
        );
        return wrong === 0 ? 0 : 1;
      }),
    );
  policy
    .command('explain <id>')
    .description('why: the decisions of a run, or one decision by its event id; reads the log files')
    .addHelpText('after', '\nExample:\n  auraison policy explain 0198c2f0-…')
    .action(
      action(async ({ settings, out }, id: string) => {
        const found = withLogs(settings, (readers) => decisionsOf(readers, id));
        if (found.length === 0)
          throw new EdgeError('run.not_found', {
            operation: 'policy explain',
            subject: id,
            message: `no decision of ${id} is in the log`,
          });
        out.result(found, () => found.map(explained).join('\n\n'));
        return 0;
      }),
    );
  policy
    .command('rejudge')
    .description(
      'judge the history again under other policies; exit code 1 when something would be decided otherwise',
    )
    .requiredOption('--since <time>', 'date and time, or 90min, 24h, 7d ago')
    .option('--policy <folder>', 'folder instead of policy.dir')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison policy rejudge --since 7d --policy tomorrow/\n  auraison policy rejudge --since 2026-11-20T08:00:00Z --json',
    )
    .action(
      action(async ({ settings, out }, options: { since: string; policy?: string }) => {
        const { judge } = await lawOf(settings, options.policy);
        const since = sinceMs(options.since);
        const readers = openLogs(settings);
        try {
          const report = await rejudge(readers, judge, since);
          out.result(report, () =>
            [
              ...report.differences.map(
                (d) =>
                  `${iso(d.ts)}  ${d.principal}  ${d.point} ${d.subject}: ${d.was.decision} -> ${d.would.decision} (${d.would.reason})`,
              ),
              `${report.judged} judged again, ${report.same} the same, ${report.different} different, ${report.not_judged} could not be judged`,
            ].join('\n'),
          );
          return report.different === 0 ? 0 : 1;
        } finally {
          for (const reader of readers) reader.close();
        }
      }),
    );
  policy
    .command('quotas')
    .description('what tenants have spent, what is left and when it renews')
    .action(
      action(async ({ api, out }) => {
        const { quotas } = await api.get<{ quotas: QuotaView[] }>('/v1/quotas');
        out.result(quotas, () =>
          quotas.length === 0
            ? 'no quotas are configured'
            : table(
                ['TENANT', 'WHAT', 'PER', 'USED', 'OF', 'LEFT', 'RENEWS'],
                quotas.map((q) => [
                  q.tenant,
                  q.metric,
                  q.window,
                  `${q.used}`,
                  `${q.limit}`,
                  `${q.left}`,
                  q.renews_ts === undefined ? 'never' : iso(q.renews_ts),
                ]),
              ),
        );
        return 0;
      }),
    );
  policy
    .command('grants')
    .description('rights on loan, and how long they last')
    .action(
      action(async ({ api, out }) => {
        const { grants } = await api.get<{ grants: GrantView[] }>('/v1/grants');
        out.result(grants, () =>
          grants.length === 0
            ? 'no grants'
            : table(
                ['GRANT', 'STATE', 'WHO', 'ROLES', 'UNTIL'],
                grants.map((g) => [
                  g.grant_id,
                  g.state,
                  `${g.tenant}:${g.principal}`,
                  g.roles.join(', '),
                  iso(g.expires_ts),
                ]),
              ),
        );
        return 0;
      }),
    );
  addTrainCommand(policy);
  addShelfCommands(policy);
  addEvalCommand(policy);
}

/** Reads what the daemon would, with its own loader; only the commands that judge load Cedar. */
async function lawOf(settings: Settings, folder: string | undefined) {
  const { openLaw } = await import('../../daemon/compose/policy-law.ts');
  return await openLaw(settings, folder);
}

function openLogs({ dataDir }: Settings): EventReader[] {
  return LOGS.flatMap((cell) => {
    try {
      return [openEventReader(dataDir, cell)];
    } catch {
      return []; // no log of this cell yet
    }
  });
}

function withLogs<T>(settings: Settings, work: (readers: readonly EventReader[]) => T): T {
  const readers = openLogs(settings);
  try {
    return work(readers);
  } finally {
    for (const reader of readers) reader.close();
  }
}

function decisionsOf(readers: readonly EventReader[], id: string): AgentEvent<'policy.decided'>[] {
  const found: AgentEvent<'policy.decided'>[] = [];
  const intentId = intentOf(readers, id);
  for (const reader of readers) {
    for (let cursor = 0; ; ) {
      const events = reader.read(cursor, 1_000, {
        kinds: ['policy.decided'],
      }) as AgentEvent<'policy.decided'>[];
      if (events.length === 0) break;
      found.push(
        ...events.filter(
          (event) =>
            event.run_id === id ||
            event.event_id === id ||
            (intentId !== undefined && requestOf(event)?.about['intent_id'] === intentId),
        ),
      );
      cursor = events.at(-1)!.seq;
    }
  }
  return found;
}

/** An intent is judged before it has a run. */
function intentOf(readers: readonly EventReader[], runId: string): string | undefined {
  for (const reader of readers) {
    const [event] = reader.read(0, 1, { runId, kinds: ['intent.accepted'] });
    if (event?.kind === 'intent.accepted') return event.payload.intent.intent_id;
  }
  return undefined;
}

function explained(event: AgentEvent<'policy.decided'>): string {
  const {
    hook,
    point,
    subject,
    decision,
    reason,
    determining = [],
    policy_sha256,
    duration_us,
  } = event.payload;
  const request = requestOf(event);
  const who = request
    ? `${request.principal.tenant}:${request.principal.id} (${request.principal.roles.join(', ') || 'no roles'}) by ${request.principal.origin}`
    : 'unknown';
  return [
    `${iso(event.ts)}  ${decision.toUpperCase()}  ${point} ${subject}`,
    `  who      ${who}`,
    `  why      ${hook}: ${reason}`,
    ...(determining.length > 0 ? [`  policies ${determining.join(', ')}`] : []),
    ...(request ? [`  facts    ${JSON.stringify(request.facts)}`] : []),
    ...(policy_sha256 === undefined ? [] : [`  set      ${policy_sha256}`]),
    `  took     ${duration_us} µs; event ${event.event_id}`,
  ].join('\n');
}

function viewText(view: PolicyView): string {
  return [
    `policies ${view.policy_sha256}${view.built_in ? ' (built in: nothing is configured)' : ''}, loaded ${iso(view.loaded_ts)}`,
    ...(view.reload_error === undefined ? [] : [`NOT TAKEN: ${view.reload_error}`]),
    table(
      ['POLICY', 'EFFECT', 'LINE'],
      view.policies.map(({ id, effect, line }) => [id, effect, String(line)]),
    ),
  ].join('\n');
}

function sinceMs(text: string): number {
  const ago = /^(\d{1,6})\s*(s|min|h|d)$/.exec(text);
  const unit = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
  const ms = ago ? Date.now() - Number(ago[1]) * unit[ago[2] as keyof typeof unit] : Date.parse(text);
  if (Number.isFinite(ms)) return ms;
  throw new EdgeError('schema.invalid', {
    operation: 'policy rejudge',
    subject: '--since',
    message: `--since ${text}: a date and time, or a span such as 24h, expected`,
  });
}

function iso(wire: string): string {
  return new Date(Number(BigInt(wire) / 1_000_000n)).toISOString().slice(0, 19).replace('T', ' ');
}
