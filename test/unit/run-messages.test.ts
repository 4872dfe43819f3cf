import { expect, it } from 'vitest';
import { forever, type Work } from '../support/agent-app.ts';
import { rigOf } from '../support/agent-rig.ts';
import { PERSON } from '../support/runtime-rig.ts';

it('a message that is said twice at the same moment under one id counts once, also for a run that has not begun', async () => {
  const heard: string[] = [];
  const work: Work = async (context) => {
    context.onMessage(async (message) => void heard.push(message.messageId));
    return await forever(context);
  };
  const rig = rigOf({ talk: work });
  await rig.cell.start();
  const first = (await rig.cell.submit({ type: 'talk/go' }, PERSON)).run.run_id;
  const waiting = (await rig.cell.submit({ type: 'talk/go' }, PERSON)).run.run_id;
  const id = '0190a000-0000-7000-8000-0000000000aa';
  for (const runId of [first, waiting]) {
    const say = () =>
      rig.cell.control.message(runId, { kind: 'steer', text: 'left' }, PERSON, { messageId: id });
    const answers = await Promise.all([say(), say(), say()]);
    expect(new Set(answers.map(({ run_id }) => run_id))).toEqual(new Set([runId]));
    expect(rig.of('run.message').filter(({ run_id }) => run_id === runId)).toHaveLength(1);
  }
  await rig.cell.cancel(first, 'enough');
  await rig.until(() => heard.length === 2, 'the message of the second run');
  expect(heard).toEqual([id, id]);
});
