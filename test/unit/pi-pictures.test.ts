import { createHash } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SharpEncoder } from '../../adapters/images/sharp-encoder.ts';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { serveLooking } from '../../daemon/execution/looking/serve-looking.ts';
import { encodeImage, IMAGE } from '../../formats/cdr/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { FakeOpenAi, say } from '../fakes/fake-openai.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { agentApp } from '../support/agent-apps.ts';
import { makeHouse } from '../support/house.ts';
import { openAiModel } from '../support/openai-model.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { until } from '../support/until.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

type Part = { type: string; text?: string; image_url?: { url: string } };
type Message = { role: string; content: string | Part[] };

/** A camera with one picture of 4 by 2 pixels behind the tool of the house. */
function camera(blobs: MemoryBlobStore) {
  const clock = new ManualClock();
  const bus = new FakeBus(clock);
  const house = makeHouse(bus, clock);
  const samples = new SampleBus({ clock, ledger: new Ledger() });
  serveLooking(bus, samples, { clock, images: Object.assign(new SharpEncoder(), { close() {} }), blobs });
  const data = Uint8Array.from({ length: 24 }, (_, i) => i * 10);
  const header = { stamp: 1n, frame_id: 'cam' };
  const image = { header, width: 4, height: 2, encoding: 'rgb8', bigEndian: false, step: 12, data };
  samples.publish({ topic: '/cam', type: IMAGE, stamp: 1n, received: 1n, bytes: encodeImage(image) });
  return house.named('robot.look');
}

describe('a picture of robot.look', () => {
  let server: FakeOpenAi;
  afterEach(() => server.stop());

  async function ran(vision: boolean) {
    const answers = [
      say({ calls: [{ name: 'robot_look', args: {} }] }),
      say({ calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'seen' } }] }),
    ];
    server = await FakeOpenAi.start(...answers);
    const blobs = new MemoryBlobStore();
    const app = agentApp([camera(blobs)], { tools: ['robot.look', 'run.finish'] });
    const rig = new RuntimeRig({
      apps: [app],
      robot: new FakeRobot({ cells: 4 }),
      options: {
        models: () => openAiModel(server.url, { info: { vision } }),
        blobs,
        harnesses: { pi: (one) => new PiHarness(one, { blobs, patienceMs: 0 }) },
      },
    });
    await rig.cell.start();
    await rig.cell.submit({ type: 'agent/go' }, PERSON);
    // Server and encoder work in real time: the clock of the rig stands still meanwhile.
    await until(() => rig.of('run.finished').length > 0, 'the end of the run');
    await rig.finished();
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded', reason: 'seen' });
    return { rig, blobs, messages: server.asked[1]!.body['messages'] as Message[] };
  }

  it('reaches the server of the model byte for byte, and the log by the hash of the same bytes', async () => {
    const { rig, blobs, messages } = await ran(true);
    // The API has no pictures in results of tools: they follow the result.
    expect(messages.slice(-2).map(({ role }) => role)).toEqual(['tool', 'user']);
    const parts = messages.at(-1)!.content as Part[];
    const url = parts.find(({ type }) => type === 'image_url')!.image_url!.url;
    const [, mime, base64] = /^data:(image\/(?:png|jpeg));base64,([A-Za-z0-9+/=]+)$/.exec(url)!;
    const bytes = Buffer.from(base64!, 'base64');
    const magic = mime === 'image/png' ? '89504e47' : 'ffd8ff';
    expect(bytes.toString('hex').startsWith(magic)).toBe(true);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const session = JSON.stringify(rig.of('session.entry').map(({ payload }) => payload.entry));
    expect(session).toContain(`"sha256":"${sha256}"`);
    expect(session).not.toContain(base64);
    expect(Buffer.from((await blobs.get(sha256))!)).toEqual(bytes);
  });

  it('is told and not sent where the model sees nothing', async () => {
    const { messages } = await ran(false);
    expect(JSON.stringify(messages)).not.toContain('data:image');
    expect(JSON.stringify(messages.at(-1))).toContain('[an image, not shown]');
  });
});
