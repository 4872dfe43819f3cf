import { describe, expect, it } from 'vitest';
import { openPolicySet, PolicyBook } from '../../adapters/cedar/index.ts';
import { type AgentEvent, type EventReader, mcpCaller, type PolicyContext } from '../../contract/index.ts';
import { rejudge } from '../../history/rejudge.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { type AskFirst, rigOf, waiting } from '../support/approval-rig.ts';
import { PERSON } from '../support/runtime-rig.ts';

describe('an answer is judged by policies', () => {
  async function deskWith(text: string) {
    const clock = new ManualClock();
    const book = await PolicyBook.open({
      robot: 'robot',
      clock,
      read: () => ({ policies: [{ file: 'p.cedar', text }], entities: { file: 'e', text: '' } }),
      standing: ({ roles }) => ({ ok: true, roles }),
    });
    return rigOf({ hook: book as unknown as AskFirst, clock }).rig;
  }
  const ASKS = `@approve("mind your fingers") permit (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"gate.open");
permit (principal, action == Auraison::Action::"intent", resource);
permit (principal, action == Auraison::Action::"tool", resource in Auraison::Group::"note");`;

  it('and never crosses the border between tenants, although a policy forgets it', async () => {
    const rig = await deskWith(`${ASKS} permit (principal, action == Auraison::Action::"answer", resource);`);
    await rig.cell.start();
    await rig.cell.submit({ type: 'door/go' }, PERSON);
    const id = await waiting(rig);
    const guest = { ...PERSON, tenant: 'acme', principal: 'eve' };
    for (const decision of ['allow', 'deny'] as const)
      await expect(rig.cell.approvals.answer(id, decision, guest, '')).rejects.toMatchObject({
        code: 'approval.not_found',
      });
    expect(rig.of('approval.answered')).toEqual([]);
    await rig.cell.approvals.answer(id, 'allow', { ...PERSON, principal: 'bea' }, '');
    await rig.finished();
    expect(rig.of('run.finished')[0]?.payload.reason).toBe('opened 2');
    await rig.cell.stop();
  });

  it('by who somebody is: one token that asks over MCP and answers over HTTP is one person', async () => {
    const rig = await deskWith(`${ASKS} permit (principal, action == Auraison::Action::"answer", resource)
when { resource.requester != principal };`);
    await rig.cell.start();
    const token: PolicyContext = {
      ...{ tenant: 'local', principal: 'operator', roles: ['operator'], origin: 'api' },
    };
    await rig.cell.submit({ type: 'door/go' }, mcpCaller(token, ['operator']));
    const id = await waiting(rig);
    await expect(rig.cell.approvals.answer(id, 'allow', token, '')).rejects.toMatchObject({
      code: 'policy.denied',
      hint: expect.stringContaining('own name'),
    });
    expect(rig.of('intent.accepted')[0]!.payload.intent.policy_ctx).toMatchObject({
      principal: 'operator',
      origin: 'mcp',
    });
    await rig.cell.approvals.answer(id, 'allow', { ...token, principal: 'bea' }, '');
    await rig.finished();
    await rig.cell.stop();
  });

  it('by who somebody is: the same name at central and here is one person, both ways', async () => {
    for (const [asks, answers] of [
      ['central/ada.l', 'ada.l'],
      ['ada.l', 'central/ada.l'],
      ['operator', 'central/operator'],
    ] as const) {
      const rig = await deskWith(`${ASKS} permit (principal, action == Auraison::Action::"answer", resource)
when { resource.requester != principal };`);
      await rig.cell.start();
      await rig.cell.submit({ type: 'door/go' }, { ...PERSON, principal: asks });
      const id = await waiting(rig);
      const same = { ...PERSON, principal: answers };
      await expect(rig.cell.approvals.answer(id, 'allow', same, '')).rejects.toMatchObject({
        code: 'policy.denied',
      });
      await rig.cell.approvals.answer(id, 'allow', { ...PERSON, principal: 'central/bea' }, '');
      await rig.finished();
      expect(rig.of('approval.answered')[0]!.payload).toMatchObject({ by: 'central/bea' });
      await rig.cell.stop();
    }
  });

  it('and what was judged again after it is judged again in a look back: each decision by itself', async () => {
    const rig = await deskWith(`${ASKS} permit (principal, action == Auraison::Action::"answer", resource);`);
    await rig.cell.start();
    await rig.cell.submit({ type: 'door/go' }, PERSON);
    await rig.cell.approvals.answer(await waiting(rig), 'allow', { ...PERSON, principal: 'bea' }, '');
    await rig.finished();
    const decided: readonly AgentEvent[] = rig.of('policy.decided');
    const reader = {
      read: (after: number) => decided.filter(({ seq }) => seq > after),
    } as unknown as EventReader;
    const asked = rig
      .of('policy.decided')
      .filter(({ payload }) => payload.subject === 'gate.open')
      .map(({ payload }) => payload.decision);
    // Before and after the word of a person: the policies say both times that one is needed.
    expect(asked).toEqual(['needs_approval', 'needs_approval']);
    const setOf = async (text: string) =>
      (
        await openPolicySet({
          policies: [{ file: 'p.cedar', text }],
          entities: { file: 'entities.json', text: '' },
        })
      ).judge;
    const same = await setOf(`${ASKS} permit (principal, action == Auraison::Action::"answer", resource);`);
    expect(await rejudge([reader], same, 0)).toMatchObject({ different: 0, not_judged: 0, whole: true });
    const none = await setOf('permit (principal, action, resource);');
    const { differences } = await rejudge([reader], none, 0);
    expect(differences.map(({ subject, was, would }) => [subject, was.decision, would.decision])).toEqual([
      ['gate.open', 'needs_approval', 'allow'],
      ['gate.open', 'needs_approval', 'allow'],
    ]);
    await rig.cell.stop();
  });

  it('which may let people answer their own question', async () => {
    const text = `permit (principal, action in [Auraison::Action::"intent", Auraison::Action::"answer"], resource);
@approve("mind your fingers") permit (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"gate.open");
permit (principal, action == Auraison::Action::"tool", resource in Auraison::Group::"note");`;
    const clock = new ManualClock();
    const book = await PolicyBook.open({
      robot: 'robot',
      clock,
      read: () => ({ policies: [{ file: 'p.cedar', text }], entities: { file: 'e', text: '' } }),
      standing: ({ roles }) => ({ ok: true, roles }),
    });
    const { rig } = rigOf({ hook: book as unknown as AskFirst, clock });
    await rig.cell.start();
    await rig.cell.submit({ type: 'door/go' }, PERSON);
    const id = await waiting(rig);
    await rig.cell.approvals.answer(id, 'allow', PERSON, '');
    await rig.finished();
    expect(rig.of('run.finished')[0]?.payload.reason).toBe('opened 2');
    const judged = rig.of('policy.decided').find(({ payload }) => payload.point === 'approval')!.payload;
    expect(judged).toMatchObject({
      decision: 'allow',
      policy_sha256: book.sha256,
      determining: ['p.cedar#1'],
    });
    await rig.cell.stop();
  });
});
