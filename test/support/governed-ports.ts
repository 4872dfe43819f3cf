import { generateKeyPairSync } from 'node:crypto';
import { BuiltInJudge, PolicyBook } from '../../adapters/cedar/index.ts';
import { EdgeError, type EventReader, IdSource, type NewEvent } from '../../contract/index.ts';
import { makeConfigDesk } from '../../daemon/config/desk.ts';
import { readConfig } from '../../daemon/config.ts';
import type { HttpPorts } from '../../daemon/http/http-ports.ts';
import { ApprovalDesk } from '../../daemon/runtime/governance/approval-desk.ts';
import { Governance } from '../../daemon/runtime/governance/governance.ts';
import { GrantBook } from '../../daemon/runtime/governance/grant-book.ts';
import { LatestTime } from '../../daemon/runtime/governance/latest-time.ts';
import { QuotaBook } from '../../daemon/runtime/governance/quota-book.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { rejudge } from '../../history/rejudge.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { deskParts } from './config-desk.ts';
import { RUN_ID } from './http-rig.ts';
import { uuid } from './tiny-log.ts';

/** Real governance over a log in memory, and stand-ins for runs, for tests of the API's answers. */
export async function governedPorts(): Promise<Partial<HttpPorts>> {
  const clock = new ManualClock();
  const log = new MemoryEventLog({ cell: 'runtime', clock });
  const time = new LatestTime(clock);
  const reader = (): EventReader => log.reader();
  const { publicKey } = generateKeyPairSync('ed25519');
  const grants = new GrantBook({
    ...{ robot: 'tb1', clock, time, report: () => {} },
    keys: () => new Map([['central', publicKey]]),
  });
  const policies = await PolicyBook.open({
    ...{ robot: 'tb1', clock, standing: (context) => grants.standing(context) },
    read: () => ({ policies: [], entities: { file: 'entities.json', text: '' } }),
  });
  const hooks = new PolicyGate([policies], clock);
  const quotas = new QuotaBook(
    [
      { tenant: '*', metric: 'tokens', window: 'day', limit: 100 },
      { tenant: 'local', metric: 'runs', window: 'total', limit: 3 },
    ],
    time,
    () => undefined,
  );
  const governance = new Governance({
    ...{ policies, quotas, grants, localGrants: () => [], onChange: () => {}, report: () => {} },
    rejudge: async ({ sinceMs }) => await rejudge([reader()], new BuiltInJudge(), sinceMs),
  });
  const append = async (events: readonly NewEvent[]) => {
    const durable = await log.append(events);
    governance.observe(durable);
    approvals.observe(durable);
  };
  const approvals = new ApprovalDesk({
    ...{ clock, hooks, append, report: () => {}, rolesOf: (who) => governance.rolesOf(who) },
    ids: new IdSource(
      () => 1_700_000_000_000,
      (length) => new Uint8Array(length),
    ),
  });
  await governance.begin(reader(), hooks, append);
  const context = { tenant: 'local', principal: 'ada', roles: ['operator'], origin: 'api' } as const;
  const { events } = approvals.open({
    ...{ runId: RUN_ID, point: 'tool', subject: 'gate.open', facts: { n: 1 }, callId: uuid(3) },
    context: { ...context, roles: [...context.roles] },
    terms: { timeoutMs: 60_000, roles: [], reason: 'people are near' },
  });
  await append(events);
  const unknown = (subject: string) => new EdgeError('run.not_found', { operation: 'find run', subject });
  const defaults = readConfig('', '(defaults)', {}).config;
  return {
    approvals,
    governance,
    config: makeConfigDesk({ config: defaults, dataDir: '/tmp', file: undefined }, deskParts(), {}),
    schedules: () => [],
    chat: {
      complete: async (_, { onDelta }) => {
        onDelta?.({ kind: 'text', text: 'yes' });
        const tokens = { tokensIn: 1, tokensOut: 1 };
        return { text: 'yes', toolCalls: [], stopReason: 'stop', ...tokens, model: 'tiny', modelId: 'tiny' };
      },
    },
    questions: {
      questions: () => [],
      answerQuestion: async (id) => {
        throw new EdgeError('question.not_found', { operation: 'answer', subject: id });
      },
    },
    control: {
      pause: async (id) => Promise.reject(unknown(id)),
      resume: async (id) => Promise.reject(unknown(id)),
      message: async (id) => Promise.reject(unknown(id)),
      fork: async (id) => Promise.reject(unknown(id)),
      session: (id) => {
        throw unknown(id);
      },
      tree: (id) => {
        throw unknown(id);
      },
    },
    replay: {
      replay: async (id) => Promise.reject(unknown(id)),
      diff: async (id) => Promise.reject(unknown(id)),
      trace: async (id) => Promise.reject(unknown(id)),
    },
  };
}
