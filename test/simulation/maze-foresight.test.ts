import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentEvent, Submitted } from '../../contract/index.ts';
import { FakeCosmos, judged } from '../fakes/fake-cosmos.ts';
import {
  allEvents,
  auraisonAsync,
  finishedRun,
  freshDir,
  type TestDaemon,
  testDaemon,
} from '../support/daemon.ts';

const RUN_MS = 300_000;
const folder = freshDir('auraison-foresight');
let predict: FakeCosmos;
let transfer: FakeCosmos;
let reason: FakeCosmos;
let daemon: TestDaemon | undefined;

beforeEach(async () => {
  [predict, transfer, reason] = await Promise.all([
    FakeCosmos.start('generator'),
    FakeCosmos.start('generator'),
    FakeCosmos.start('reasoner'),
  ]);
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  await Promise.all([predict, transfer, reason].map((service) => service.stop()));
});
afterAll(() => folder.remove());

const configured = (name: string) => join(folder.path, `${name}.toml`);

async function search(name: string, side: number) {
  const file = configured(name);
  writeFileSync(
    file,
    `[sim]
seed = 4
width = ${side}
height = ${side}
[cosmos]
maze = true
predict_url = "${predict.url}"
transfer_url = "${transfer.url}"
reason_url = "${reason.url}"
predict_timeout = "2 s"
transfer_timeout = "2 s"
reason_timeout = "2 s"
`,
  );
  daemon = await testDaemon(join(folder.path, name), { AURAISON_CONFIG: file });
  const { run } = await daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
  const details = await finishedRun(daemon.api, run.run_id, RUN_MS);
  const all = await allEvents(daemon.api);
  const events = all.filter((event) => event.run_id === run.run_id);
  const called = events
    .filter((event): event is Extract<AgentEvent, { kind: 'tool.called' }> => event.kind === 'tool.called')
    .map(({ payload }) => payload.tool);
  return { details, all, events, called };
}

describe('the maze with foresight, services by their documented interface', () => {
  it('predicts, transfers, judges and drives to what looks best; the robot gets out', async () => {
    // The second place is always the better one: what is judged decides.
    reason.reply = (_body, count) => judged(count % 2 === 0 ? 9 : 2);
    const { details, all, events, called } = await search('whole', 3);
    expect([details.run.status, details.summary]).toMatchObject([
      'succeeded',
      { foresight: true, reached: true, judged: expect.any(Number) },
    ]);
    const { judged: heard, predicted, transferred } = details.summary as Record<string, number>;
    expect(heard).toBeGreaterThanOrEqual(2);
    expect([predicted, transferred]).toEqual([heard, heard]);
    expect([predict.asked.length, transfer.asked.length, reason.asked.length]).toEqual([heard, heard, heard]);
    // In this order, for each of two places, and then the drive to the second.
    const first = called.indexOf('world.predict');
    expect(called.slice(first, first + 7)).toEqual([
      ...['world.predict', 'world.transfer', 'world.reason'],
      ...['world.predict', 'world.transfer', 'world.reason'],
      'maze.go_to',
    ]);
    const goTo = events.find(
      (event): event is Extract<AgentEvent, { kind: 'tool.called' }> =>
        event.kind === 'tool.called' && event.payload.tool === 'maze.go_to',
    );
    expect(goTo?.payload.args).toEqual({ place: 'B' });
    // The film that was judged is the one that was made to look real.
    const content = (
      reason.asked[0]!.body['messages'] as { content: { video_url?: { url: string } }[] }[]
    )[0]!.content;
    const shown = Buffer.from(content[0]!.video_url!.url.split(',')[1]!, 'base64').toString('latin1');
    expect(shown).toMatch(/film 1$/);
    // Done again from the log alone, without any service: the same decisions.
    const replayed = await auraisonAsync([
      ...['run', 'replay', details.run.run_id, '--json', '--config', configured('whole')],
      ...['--data-dir', daemon!.dataDir],
    ]);
    expect([replayed.status === 0 ? '' : replayed.stdout.slice(0, 2_000), replayed.status]).toEqual(['', 0]);
    // What leaves the robot is judged as that.
    expect(all.some((event) => event.kind === 'policy.decided' && event.payload.point === 'egress')).toBe(
      true,
    );
  }, 400_000);

  it('without films judges the picture; without a judge goes on as it does without foresight, in the same run', async () => {
    predict.reply = () => ({ status: 500, body: 'out of memory' });
    reason.reply = () => undefined;
    const { details, called } = await search('broken', 4);
    expect(details.run.status).toBe('succeeded');
    expect(details.reason).toMatch(/^without foresight \(no judgement in 2 rounds in a row\): /);
    expect(details.summary).toMatchObject({ foresight: false, reached: true });
    expect(transfer.asked).toEqual([]);
    const { messages } = reason.asked[0]!.body as { messages: { content: { type: string }[] }[] };
    expect(messages[0]!.content.map(({ type }) => type)).toEqual(['image_url', 'text']);
    expect(called).not.toContain('maze.go_to');
    // Late ones are let go, and asked once each.
    expect(reason.asked.length).toBe(called.filter((tool) => tool === 'world.reason').length);
  }, 400_000);
});
