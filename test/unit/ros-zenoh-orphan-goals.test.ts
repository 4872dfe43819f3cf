import { expect, it } from 'vitest';
import { ActionClient } from '../../adapters/zenoh/ros/action-client.ts';
import type { MessageCodec } from '../../adapters/zenoh/ros/message-codec.ts';
import type { ServiceCaller } from '../../adapters/zenoh/ros/service-caller.ts';
import type { RosZenohSession } from '../../adapters/zenoh/ros/session.ts';
import { type CallOptions, EdgeError, type MessageValue } from '../../contract/core.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const soon = { timeoutMs: 1_000 };
const refusal = (code: EdgeError['code']) => new EdgeError(code, { operation: 'call', subject: '/spin' });

/** An action server of which the test answers the calls, and says whether it is seen. */
function rig() {
  const clock = new ManualClock();
  const reports: string[] = [];
  const calls: { service: string; request: MessageValue; answer: PromiseWithResolvers<MessageValue> }[] = [];
  const looks = new Set<() => void>();
  let seen = true;
  const caller = {
    call: (name: string, _type: string, request: MessageValue, { signal }: CallOptions) => {
      const answer = Promise.withResolvers<MessageValue>();
      signal?.addEventListener('abort', () => answer.reject(refusal('deadline.exceeded')));
      calls.push({ service: name.split('/').at(-1)!, request, answer });
      return answer.promise;
    },
    served: () => seen,
    onServers: (look: () => void) => {
      looks.add(look);
      return { cancel: () => looks.delete(look) };
    },
  } as unknown as ServiceCaller;
  const session = { clock, report: (_: string, message: string) => reports.push(message) };
  const client = new ActionClient(
    session as unknown as RosZenohSession,
    {} as MessageCodec,
    caller,
    '/spin',
    'a/action/B',
  );
  const of = (service: string) => calls.filter((call) => call.service === service);
  const idOf = ({ request }: (typeof calls)[number]) => (request['goal_id'] as { uuid: Uint8Array }).uuid;
  return {
    clock,
    client,
    reports,
    of,
    cancels: () => of('cancel_goal'),
    /** The answer of a server that cancels the goal it was sent. */
    cancelled: () => ({
      return_code: 0,
      goals_canceling: [{ goal_id: { uuid: idOf(of('send_goal')[0]!) } }],
    }),
    see: (isSeen: boolean) => {
      seen = isSeen;
      for (const look of looks) look();
    },
  };
}

it('a goal whose acceptance was not heard is cancelled until its server has heard that', async () => {
  const { client, clock, of, cancels, cancelled, reports } = rig();
  const sent = client.send({}, soon);
  of('send_goal')[0]!.answer.reject(refusal('deadline.exceeded'));
  await expect(sent).rejects.toMatchObject({ code: 'deadline.exceeded' });
  // The network hides the server, then swallows what it is told, then breaks.
  for (const [i, code] of (['ros.not_found', 'deadline.exceeded', 'ros.failed'] as const).entries()) {
    expect(cancels()).toHaveLength(i + 1);
    cancels()[i]!.answer.reject(refusal(code));
    await clock.advance(0);
    await clock.advance(1_000);
  }
  expect(reports).toEqual([]);
  cancels()[3]!.answer.resolve(cancelled());
  await clock.advance(60_000);
  expect(cancels()).toHaveLength(4);
  expect(reports).toEqual([expect.stringContaining('was cancelled because it had no client left')]);
});

it('a goal whose server was lost from sight is cancelled when it is seen again', async () => {
  const { client, clock, of, cancels, cancelled, see, reports } = rig();
  const sent = client.send({}, soon);
  of('send_goal')[0]!.answer.resolve({ accepted: true });
  const { result } = await sent;
  const lost = expect(result).rejects.toMatchObject({ code: 'robot.unreachable' });
  see(false);
  await clock.advance(2_000);
  await lost;
  expect(cancels()).toHaveLength(1);
  cancels()[0]!.answer.reject(refusal('ros.not_found'));
  await clock.advance(0);
  see(true);
  await clock.advance(1_000);
  cancels()[1]!.answer.resolve(cancelled());
  await clock.advance(0);
  expect(reports).toEqual([expect.stringContaining('was cancelled because it had no client left')]);
});

/** Lets the server answer the newest cancel with this, and time pass until the next is due. */
async function answer({ clock, cancels }: ReturnType<typeof rig>, word: MessageValue) {
  cancels().at(-1)!.answer.resolve(word);
  await clock.advance(0);
  await clock.advance(1_000);
}
const UNKNOWN = { return_code: 2, goals_canceling: [] };

async function unheard(one: ReturnType<typeof rig>) {
  const sent = one.client.send({}, soon);
  one.of('send_goal')[0]!.answer.reject(refusal('deadline.exceeded'));
  await expect(sent).rejects.toThrow();
}

it('a goal that its server does not know yet is cancelled once it has accepted it', async () => {
  const one = rig();
  await unheard(one);
  for (let i = 0; i < 3; i++) await answer(one, UNKNOWN);
  expect(one.reports).toEqual([]);
  await answer(one, one.cancelled());
  expect(one.cancels()).toHaveLength(4);
  expect(one.reports).toEqual([expect.stringContaining('was cancelled because it had no client left')]);
});

it('a goal that its server does not know for a minute was never taken; one that has ended needs no cancel', async () => {
  const one = rig();
  await unheard(one);
  for (let i = 0; i < 100; i++) await answer(one, UNKNOWN);
  expect(one.cancels()).toHaveLength(61);
  const other = rig();
  await unheard(other);
  await answer(other, { return_code: 3, goals_canceling: [] });
  expect(other.cancels()).toHaveLength(1);
  expect([...one.reports, ...other.reports]).toEqual([]);
});

it('a goal that its server refuses to cancel is told, once, and asked for again', async () => {
  for (const code of [0, 1]) {
    const one = rig();
    await unheard(one);
    for (let i = 0; i < 3; i++) await answer(one, { return_code: code, goals_canceling: [] });
    expect(one.reports).toEqual([expect.stringContaining('its server refuses to cancel it')]);
    await answer(one, one.cancelled());
    expect(one.cancels()).toHaveLength(4);
    expect(one.reports).toHaveLength(2);
  }
});

it('a goal whose server stays away is looked for ten minutes, and alarms nobody', async () => {
  const { client, clock, of, cancels, reports } = rig();
  const sent = client.send({}, soon);
  of('send_goal')[0]!.answer.reject(refusal('deadline.exceeded'));
  await expect(sent).rejects.toThrow();
  for (let i = 0; i < 1_000; i++) {
    cancels().at(-1)!.answer.reject(refusal('ros.not_found'));
    await clock.advance(0);
    await clock.advance(1_000);
  }
  expect(cancels()).toHaveLength(601);
  expect(reports).toEqual([]);
});

it('a goal that nobody took, or that was refused, is not cancelled; nor is any after we left the graph', async () => {
  const { client, clock, of, cancels, reports } = rig();
  for (const code of ['ros.not_found', 'schema.invalid'] as const) {
    const sent = client.send({}, soon);
    of('send_goal').at(-1)!.answer.reject(refusal(code));
    await expect(sent).rejects.toMatchObject({ code });
  }
  const refused = client.send({}, soon);
  of('send_goal').at(-1)!.answer.resolve({ accepted: false });
  expect(await (await refused).result).toEqual({ status: 'rejected', result: {} });
  expect(cancels()).toEqual([]);
  const lost = client.send({}, soon);
  of('send_goal').at(-1)!.answer.reject(refusal('deadline.exceeded'));
  await expect(lost).rejects.toThrow();
  expect(cancels()).toHaveLength(1);
  await client.close();
  await clock.advance(60_000);
  expect(cancels()).toHaveLength(1);
  expect(reports).toEqual([]);
});
