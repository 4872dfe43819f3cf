import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AgentEvent } from '../../contract/index.ts';
import { FakeOpenAi, say } from '../fakes/fake-openai.ts';
import { allEvents, freshDir, ROOT, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

type Shed = Extract<AgentEvent, { kind: 'models.shed' }>;
const folder = freshDir('auraison-shed');
let daemon: TestDaemon | undefined;
let model: FakeOpenAi | undefined;
afterAll(async () => {
  await daemon?.stop();
  await model?.stop();
  folder.remove();
});

const PERIOD_MS = 1_000 / 50;

describe('a model beside a control loop of a whole daemon', () => {
  it('gives way while the loop is late, by what the controller says, and answers in the end', async () => {
    let answers = false;
    // A model that thinks until it is told to stop: what is under way is ended or waits.
    model = await FakeOpenAi.start(async (asked, response, server) => {
      while (!answers && !response.closed) await new Promise((resolve) => setTimeout(resolve, 50));
      await say({ text: JSON.stringify({ steps: [] }) })(asked, response, server);
    });
    const file = join(folder.path, 'shed.toml');
    const joints = JSON.stringify([...[1, 2, 3, 4, 5, 6].map((n) => `joint_${n}`), 'gripper']);
    writeFileSync(
      file,
      `[robot]
source = "sim"
[sim]
world = "arm"
seed = 1
[recorder]
enabled = false
[gate]
urdf = "${join(ROOT, 'sim', 'arm', 'ar4.urdf')}"
joints = ${joints}
[planning]
answers_max = 1
# So little that any loop of an ordinary host is late by it: 0.2 ms.
[model]
shed_late = 1
[[models]]
name = "planner"
url = "${model.url}"
model = "served/tiny"
probe = false
first_token = "3 min"
[[policies]]
name = "reach"
kind = "onnx"
path = "${join(ROOT, 'apps', 'ar4-physical-ai', 'policy', 'reach.onnx')}"
[[controllers]]
name = "reach"
policy = "reach"
rate = "50 Hz"
output = "/forward_position_controller/commands"
joints = ${joints}
aggregation = "latest_only"
[[controllers.inputs]]
name = "observation.state"
topic = "/joint_states"
joints = ${joints}
[[controllers.inputs]]
name = "observation.environment_state"
topic = "/environment_state"
`,
    );
    daemon = await testDaemon(join(folder.path, 'data'), { AURAISON_CONFIG: file });
    const { api } = daemon;
    await until(async () => {
      await api.post('/v1/controllers/reach/start', { seconds: 300 });
      return true;
    }, 'the controller acts');
    const opened = await api.post<{ run_id: string }>('/v1/plans', {
      goal: 'reach it',
      deadline_ms: 170_000,
    });
    const shed = await until(
      async () => (await allEvents(api)).find((event): event is Shed => event.kind === 'models.shed'),
      'the model gives way',
      90_000,
    );
    expect(shed.payload.level).toMatch(/queue|fallback|cancel/);
    expect(shed.payload.late).toBeGreaterThanOrEqual(0.01);
    expect(shed.payload.reason).toMatch(
      new RegExp(`^reach is [0-9.]+ ms late of a period of ${PERIOD_MS} ms$`),
    );
    // The loop is over: the model may answer again, and the run that waited for it comes to its end.
    await api.post('/v1/controllers/reach/stop', { reason: 'the test has seen it' });
    answers = true;
    await until(
      async () => {
        const levels = (await allEvents(api)).filter((event): event is Shed => event.kind === 'models.shed');
        return levels.at(-1)?.payload.level === 'none';
      },
      'nobody gives way any more',
      90_000,
    );
    const over = await until(
      async () => {
        const view = await api.get<{ status: string; reason: string }>(`/v1/plans/${opened.run_id}`);
        return ['succeeded', 'failed'].includes(view.status) ? view : undefined;
      },
      'the run is over',
      90_000,
    );
    // No steps are no plan: what counts is that the model was heard.
    expect(over.reason).toMatch(/does not fit its schema|no plan that can be carried out/);
  }, 400_000);
});
