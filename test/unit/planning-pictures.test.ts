import { expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { serveLooking } from '../../daemon/execution/looking/serve-looking.ts';
import { encodeImage, IMAGE } from '../../formats/cdr/index.ts';
import { PlainEncoder } from '../support/house.ts';
import { drive, type PlanRigOptions, planRig } from '../support/plan-rig.ts';
import { PERSON } from '../support/runtime-rig.ts';

const PIXELS = Uint8Array.from([1, 2, 3, 4, 5, 6]);

/** A run of the planner beside a camera that saw two pixels, or beside none. */
async function planned(options: PlanRigOptions, params: Record<string, unknown>, camera = true) {
  const rig = planRig(() => [drive(0.1)], options);
  const samples = new SampleBus({ clock: rig.clock, ledger: new Ledger() });
  serveLooking(rig.bus, samples, { clock: rig.clock, images: new PlainEncoder(), blobs: rig.blobs });
  const header = { stamp: 1n, frame_id: 'cam' };
  const shape = { width: 2, height: 1, encoding: 'rgb8', bigEndian: false, step: 6 };
  const bytes = encodeImage({ header, ...shape, data: PIXELS });
  const stamped = { stamp: 1n, received: rig.clock.now(), bytes };
  if (camera) samples.publish({ topic: '/cam', type: IMAGE, ...stamped });
  await rig.cell.start();
  await rig.cell.submit({ type: 'plan', params: { goal: 'go', ...params } }, PERSON);
  await rig.finished();
  const asked = rig.model.requests.map(({ messages, need }) => ({
    images: messages.flatMap(({ images = [] }) => images),
    vision: need?.vision === true,
    text: messages.at(-1)!.text,
  }));
  return { rig, asked, end: rig.of('run.finished')[0]!.payload };
}

it('a planner is shown what the camera sees, and only who sees is asked', async () => {
  const { asked, end, rig } = await planned({ rules: { camera: 'auto' } }, {});
  expect(end.status).toBe('succeeded');
  expect(asked).toHaveLength(1);
  expect(asked[0]!.vision).toBe(true);
  expect(asked[0]!.images).toHaveLength(1);
  expect(Buffer.from(asked[0]!.images[0]!.data as Uint8Array)).toEqual(Buffer.from(PIXELS));
  expect(asked[0]!.text).toMatch(/The image shows what the robot sees now/);
  // Looking is a call like any other: in the log, judged by the policies.
  expect(rig.of('tool.called').map(({ payload }) => payload.tool)).toContain('robot.look');
});

it('nobody is shown anything where the ask or the configuration says so', async () => {
  for (const [camera, params] of [
    ['never', {}],
    ['auto', { camera: false }],
  ] as const) {
    const { asked, end } = await planned({ rules: { camera } }, params);
    expect(end.status).toBe('succeeded');
    expect(asked).toMatchObject([{ images: [], vision: false }]);
  }
});

it('without a camera it plans by facts, but for who asked for pictures', async () => {
  const blind = await planned({ rules: { camera: 'auto' } }, {}, false);
  expect(blind.end.status).toBe('succeeded');
  expect(blind.asked).toMatchObject([{ images: [] }]);
  const wanted = await planned({ rules: { camera: 'auto' } }, { camera: true }, false);
  expect(wanted.end).toMatchObject({ status: 'failed', error: { code: 'robot.unreachable' } });
  expect(wanted.asked).toEqual([]);
});

it('with nobody who sees a blind plan is made, but for who asked for pictures', async () => {
  const away = () => new EdgeError('model.unavailable', { operation: 'complete', subject: 'plan' });
  const seeing = (params: Record<string, unknown>) => {
    let seen = 0;
    const rig = planRig(() => [drive(0.1)]);
    const { model } = rig;
    const only = {
      info: model.info,
      complete: async (...[request, more]: Parameters<typeof model.complete>) => {
        seen++;
        if (request.need?.vision) throw away();
        const answer = await model.complete(request, more);
        return { ...answer, json: JSON.parse(answer.text) as unknown };
      },
      health: () => model.health(),
      close: async () => {},
    };
    return planned({ rules: { camera: 'auto' }, model: only }, params).then(({ end }) => ({ end, seen }));
  };
  expect(await seeing({})).toMatchObject({ seen: 2, end: { status: 'succeeded' } });
  expect(await seeing({ camera: true })).toMatchObject({ seen: 1, end: { status: 'failed' } });
});
