import { afterEach, describe, expect, it } from 'vitest';
import { writeObservation } from '../../adapters/lerobot/messages.ts';
import type { Observation, Policy, PolicyDescription } from '../../contract/core.ts';
import { SeeingPolicy, seen } from '../fakes/seeing-policy.ts';
import { specOf } from '../support/desk.ts';
import {
  endAll,
  eventually,
  type Given,
  HELPERS,
  Moody,
  observation,
  Raw,
  serve,
  setup,
} from '../support/lerobot-rig.ts';

afterEach(endAll);

describe('LeRobot: our server, as a stock one', () => {
  async function begun(given: Given = {}, policies = { seeing: () => new SeeingPolicy() as Policy }) {
    const rig = await serve(policies, { waitMs: 150, ...given });
    const client = new Raw(rig.url);
    await client.ready();
    await client.instruct(setup());
    return { ...rig, client };
  }

  it('gives times and steps from those of the observation', async () => {
    const { client } = await begun();
    await client.observe(observation(40, 1));
    const actions = await client.actions();
    expect(actions).toHaveLength(2);
    const { stepMs } = new SeeingPolicy().describe();
    expect(actions![1]).toMatchObject({ timestep: 41, timestamp: 1_700_000_000.25 + stepMs / 1000 });
  });

  it('gives no more actions than were asked for', async () => {
    const { client } = await begun();
    await client.instruct(setup({ actionsPerChunk: 1 }));
    await client.observe(observation(0, 1));
    expect(await client.actions()).toHaveLength(1);
  });

  it('answers with nothing where no observation came in time', async () => {
    const { client } = await begun();
    expect(await client.actions()).toBeUndefined();
  });

  it('drops what is near the last one and steps it saw, unless they must go', async () => {
    const { client } = await begun();
    const given = async (...which: Parameters<typeof observation>) => {
      await client.observe(observation(...which));
      return (await client.actions()) !== undefined;
    };
    expect(await given(0, 1)).toBe(true);
    expect(await given(1, 1.9)).toBe(false);
    expect(await given(2, 2.1)).toBe(true);
    expect(await given(2, 9)).toBe(false);
    expect(await given(2, 2.1, { mustGo: true })).toBe(true);
    await client.ready();
    expect(await given(2, 2.1)).toBe(true);
  });

  it('takes the newest of several', async () => {
    const { client } = await begun();
    for (const step of [0, 1, 2]) await client.observe(observation(step, step * 5));
    expect((await client.actions())![0]!.timestep).toBe(2);
    expect(await client.actions()).toBeUndefined();
  });

  it('takes whatever comes next after an inference that failed, or the robot would wait for ever', async () => {
    const moody = new Moody();
    const { client, faults } = await begun({}, { seeing: () => moody });
    moody.bad = true;
    await client.observe(observation(0, 1, { mustGo: true }));
    await expect(client.actions()).rejects.toMatchObject({ details: expect.stringMatching(/out of order/) });
    moody.bad = false;
    await client.observe(observation(0, 1));
    expect(await client.actions()).toBeDefined();
    expect(faults.map((error) => error.message)).toEqual([expect.stringMatching(/out of order/)]);
  });

  it('says at once what a robot lacks that the policy wants', async () => {
    const { client } = await begun();
    const features = new Map([
      ['observation.state', { dtype: 'float32', shape: [3], names: ['a', 'b', 'c'] }],
    ]);
    await expect(client.instruct(setup({ features }))).rejects.toMatchObject({
      code: 3,
      details: expect.stringMatching(
        /observation\.images\.front: the policy needs an image, but the client offers none/,
      ),
    });
    await expect(client.instruct(setup({ pretrained: 'someone/else' }))).rejects.toMatchObject({
      code: 5,
      details: expect.stringMatching(/unknown policy someone\/else; configured: seeing/),
    });
  });

  it('takes the names of a robot as they are renamed', async () => {
    const { client } = await begun();
    const features = new Map([
      ['observation.state', { dtype: 'float32', shape: [3], names: ['a.pos', 'b.pos', 'c.pos'] }],
      ['observation.images.laptop', { dtype: 'image', shape: [8, 10, 3], names: [] }],
    ]);
    const renames = new Map([['observation.images.laptop', 'observation.images.front']]);
    await client.instruct(setup({ features, renames }));
    const data = new Uint8Array(8 * 10 * 3).fill(90);
    const numbers = new Map([
      ['a.pos', 1],
      ['b.pos', 2],
      ['c.pos', 2],
    ]);
    const pictures = new Map([['laptop', { shape: [8, 10, 3], data }]]);
    const rest = { timestamp: 1, timestep: 0, mustGo: true, task: undefined };
    await client.observe(writeObservation({ ...rest, numbers, pictures }, HELPERS));
    expect(await client.actions()).toBeDefined();
  });

  it('goes on with a client whose policy was taken away and is configured again', async () => {
    const { client, desk } = await begun();
    const ask = async (step: number) => {
      await client.observe(observation(step, step, { mustGo: true }));
      return client.actions();
    };
    expect(await ask(0)).toHaveLength(2);
    await desk.apply([]);
    await expect(ask(1)).rejects.toMatchObject({ code: 5 });
    await desk.apply([specOf('seeing', () => new SeeingPolicy())]);
    expect(await ask(2)).toHaveLength(2);
  });

  it('reads observations for the policy that came in the place of another', async () => {
    class Blind extends SeeingPolicy {
      override describe(): PolicyDescription {
        const { name, inputs, output, stepMs } = super.describe();
        return { name, inputs, output, stepMs, hash: 'cd'.repeat(32) };
      }
      override infer(given: Observation) {
        return super.infer({ ...given, images: seen(0, 0).images! });
      }
    }
    const { client, desk } = await begun({}, { seeing: () => new Blind() });
    await client.observe(observation(0, 1));
    expect(await client.actions()).toHaveLength(2);
    await desk.apply([specOf('seeing', () => new SeeingPolicy())]);
    await client.observe(observation(1, 1, { mustGo: true }));
    expect(await client.actions()).toHaveLength(2);
  });

  it('answers the question that was under way when another policy came in its place', async () => {
    let go = () => {};
    let asked = () => {};
    const under = new Promise<void>((resolve) => {
      asked = resolve;
    });
    class Slow extends SeeingPolicy {
      override async infer(given: Observation) {
        asked();
        await new Promise<void>((resolve) => {
          go = resolve;
        });
        return await super.infer(given);
      }
    }
    class Other extends SeeingPolicy {
      override describe(): PolicyDescription {
        return { ...super.describe(), hash: 'ef'.repeat(32) };
      }
    }
    const { client, desk } = await begun({ waitMs: 5_000 }, { seeing: () => new Slow() });
    await client.observe(observation(0, 1));
    const answer = client.actions();
    await under;
    await desk.apply([specOf('seeing', () => new Other())]);
    // Its client goes on sending what it sees meanwhile.
    await client.observe(observation(1, 2, { mustGo: true }));
    go();
    expect((await answer)![0]!.timestep).toBe(0);
    expect((await client.actions())![0]!.timestep).toBe(1);
  });

  it('goes on with a client whose channel connected again, in a session of its own', async () => {
    const { url, client } = await begun({ waitMs: 5_000 });
    await client.observe(observation(0, 1));
    client.close();
    const again = new Raw(url);
    await eventually(() => again.observe(observation(1, 3)));
    expect((await again.actions())![0]!.timestep).toBe(1);
  });

  it('does not guess between two that were cut', async () => {
    const { url, client, server } = await begun();
    const other = new Raw(url);
    await other.instruct(setup({ actionsPerChunk: 1 }));
    client.close();
    other.close();
    await eventually(async () => expect(server.view().clients).toBe(0));
    const third = new Raw(url);
    await expect(third.actions()).rejects.toMatchObject({ code: 9 });
  });
});
