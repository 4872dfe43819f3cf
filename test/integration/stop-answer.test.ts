import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Question, Submitted } from '../../contract/index.ts';
import {
  auraisonAsync,
  finishedRun,
  freshDir,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { movingCommands, notingCommands } from '../support/sim-commands.ts';

/** Who answers a question with "STOP!" wants the robot to stand, not the run to go on with that answer. */
const folder = freshDir('stop-answer');
const at = (...path: string[]) => join(folder.path, ...path);
const APP = `name = "spinner"
version = "0.1.0"
description = "Turns round while it asks"
harness = "flow"
tools = ["robot.maneuver", "person.ask"]
[[intents]]
type = "spinner/go"
description = "Turn round and ask"
`;
const FLOW = `steps:
  - id: both
    parallel:
      turn:
        - { id: round, tool: robot.maneuver, args: { kind: spin, angle_rad: 25 } }
      doubt:
        - { id: which, ask: "How far shall I turn?", deadline: 2 min }
    until: all
  - { id: done, end: succeeded, reason: turned }
`;
/** Commands that made the simulated robot turn, as the simulator itself took them. */
const moving = () => movingCommands(at('commands'));
let daemon: TestDaemon;

beforeAll(async () => {
  mkdirSync(at('apps', 'spinner'), { recursive: true });
  writeFileSync(at('apps', 'spinner', 'app.toml'), APP);
  writeFileSync(at('apps', 'spinner', 'flow.yaml'), FLOW);
  daemon = await testDaemon(at('data'), {
    ...notingCommands(at('commands')),
    AURAISON_APPS_DIRS: at('apps'),
  });
});
afterAll(async () => {
  await daemon?.stop();
  folder.remove();
});

it('"STOP!" as an answer stops the robot that moves, and ends the run', async () => {
  const { run } = await daemon.api.post<Submitted>('/v1/intents', { type: 'spinner/go' });
  await until(async () => moving().length > 3, 'the robot turns');
  const asked = await until(async () => {
    const { questions } = await daemon.api.get<{ questions: Question[] }>('/v1/questions');
    return questions[0];
  }, 'the question');
  const { status, stdout, stderr } = await auraisonAsync([
    ...['questions', 'answer', asked.question_id, 'STOP!', '--data-dir', at('data')],
  ]);
  expect([status, `${stdout}${stderr}`]).toEqual([
    1,
    expect.stringMatching(/the robot was ordered to stop, every run was cancelled/),
  ]);
  expect((await finishedRun(daemon.api, run.run_id)).run.status).toBe('cancelled');
  await until(async () => {
    const { robot } = await daemon.status();
    return robot.available && robot.motion !== 'moving';
  }, 'the robot stands');
  const before = moving().length;
  // A robot that still turned would take ten commands in a second.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(moving().length).toBe(before);
});
