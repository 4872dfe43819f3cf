import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as dialSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { PickleWriter } from '../../adapters/lerobot/pickle/index.ts';
import type { Piece } from '../../adapters/lerobot/pieces.ts';
import type { EdgeError, Observation } from '../../contract/core.ts';
import { SeeingPolicy } from '../fakes/seeing-policy.ts';
import { endAll, eventually, type Given, observation, Raw, serve, setup } from '../support/lerobot-rig.ts';

const directory = mkdtempSync(join(tmpdir(), 'lerobot-'));
afterAll(() => rmSync(directory, { recursive: true }));

afterEach(endAll);

describe('LeRobot: hostile clients', () => {
  /** A good client beside each bad one: it is never disturbed. */
  async function beside(given: Given = {}) {
    const rig = await serve({ seeing: () => new SeeingPolicy() }, { waitMs: 150, ...given });
    const good = new Raw(rig.url);
    await good.ready();
    await good.instruct(setup());
    let step = 0;
    const works = async () => {
      await good.observe(observation(step++, step, { mustGo: true }));
      return (await good.actions()) !== undefined;
    };
    expect(await works()).toBe(true);
    return { ...rig, works, bad: new Raw(rig.url) };
  }

  const canary = join(directory, 'canary');
  const attack = () => {
    const to = new PickleWriter();
    return to.call('os', 'system', [() => to.text(`touch ${canary}`)]).finish();
  };

  it('pickles that name os.system are refused in setup and observation, executed nowhere', async () => {
    const { bad, works, faults } = await beside();
    await bad.ready();
    await expect(bad.instruct(attack())).rejects.toMatchObject({
      code: 3,
      details: expect.stringMatching(/wire\.refused: the global os\.system is not allowed in this protocol/),
    });
    await bad.instruct(setup());
    await expect(bad.observe(attack())).rejects.toMatchObject({ code: 3 });
    expect(() => readFileSync(canary)).toThrow();
    expect(faults.map((error: EdgeError) => error.code)).toEqual(['wire.refused', 'wire.refused']);
    expect(await works()).toBe(true);
    await bad.observe(observation(0, 1));
    expect(await bad.actions()).toBeDefined();
  });

  it('an observation above its bytes is cut off while it comes', async () => {
    const { bad, works } = await beside({ observationBytesMax: 100_000 });
    await bad.ready();
    await bad.instruct(setup());
    const piece = { transfer_state: 2, data: new Uint8Array(60_000) };
    await expect(bad.send([{ ...piece, transfer_state: 1 }, piece, piece], false)).rejects.toMatchObject({
      code: 3,
      details: expect.stringMatching(/more than 100000 bytes/),
    });
    expect(await works()).toBe(true);
  });

  it('a message above 4 MB is refused before it is read', async () => {
    const { bad, works } = await beside();
    await bad.instruct(setup());
    const data = new Uint8Array(5 * 1024 * 1024);
    await expect(bad.send([{ transfer_state: 3, data }])).rejects.toMatchObject({ code: 8 });
    expect(await works()).toBe(true);
  });

  it.each([
    ['a transfer state that is none', [{ transfer_state: 7, data: new Uint8Array(1) }], /transfer state 7/],
    [
      'an observation without its end',
      [{ transfer_state: 1, data: new Uint8Array(1) }],
      /before its last piece/,
    ],
    ['an empty stream', [], /before its last piece/],
    ['an empty pickle', [{ transfer_state: 3, data: new Uint8Array(0) }], /ends in the middle/],
  ])('%s is refused in words', async (_, pieces, message) => {
    const { bad, works } = await beside();
    await bad.instruct(setup());
    await expect(bad.send(pieces as Piece[])).rejects.toMatchObject({
      details: expect.stringMatching(message as RegExp),
    });
    expect(await works()).toBe(true);
  });

  it.each([
    ['NaN in a state', Number.NaN],
    ['infinity in a state', Number.POSITIVE_INFINITY],
  ])('%s is refused by its name', async (_, value) => {
    const { bad, works } = await beside();
    await bad.instruct(setup());
    await expect(bad.observe(observation(0, value))).rejects.toMatchObject({
      code: 3,
      details: expect.stringMatching(/\/a\.pos: is .*observations must be finite/),
    });
    expect(await works()).toBe(true);
  });

  it('a policy that answers NaN reaches nobody', async () => {
    class Mad extends SeeingPolicy {
      override async infer(given: Observation) {
        const chunk = await super.infer(given);
        chunk.actions.data[1] = Number.NaN;
        return chunk;
      }
    }
    const { url } = await serve({ mad: () => new Mad() });
    const client = new Raw(url);
    await client.instruct(setup());
    await client.observe(observation(0, 1));
    await expect(client.actions()).rejects.toMatchObject({ code: 13 });
  });

  it('calls before anything was said, and more than may wait, are refused in words', async () => {
    const { bad, works } = await beside({ waitMs: 1_000 });
    await expect(bad.actions()).rejects.toMatchObject({
      code: 9,
      details: expect.stringMatching(/has not chosen a policy/),
    });
    await bad.instruct(setup());
    const many = await Promise.allSettled(Array.from({ length: 6 }, () => bad.actions()));
    const refused = many.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(2);
    expect(await works()).toBe(true);
  });

  it('bytes that are no HTTP/2 end their connection and nothing else', async () => {
    const { url, works } = await beside();
    const [host = '', port] = url.split(':');
    for (const bytes of [
      'GET / HTTP/1.1\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\xff\xff\xff\xff',
      '\x80\x04.',
    ]) {
      await new Promise<void>((resolve) => {
        const socket = dialSocket(Number(port), host, () => socket.write(bytes, 'latin1'));
        socket.on('close', () => resolve());
        socket.on('error', () => {});
        socket.on('data', () => socket.end());
      });
    }
    expect(await works()).toBe(true);
  });

  it('more clients than may be are turned away, and one that leaves makes room', async () => {
    const { url, server, bad, works } = await beside({ clientsMax: 2 });
    await bad.ready();
    const third = new Raw(url);
    await expect(third.ready()).rejects.toMatchObject({ code: 14 });
    expect(await works()).toBe(true);
    third.close();
    bad.close();
    await eventually(async () => expect(server.view().clients).toBe(1));
    const fourth = new Raw(url);
    await eventually(() => fourth.ready());
    expect(server.view().refused).toBeGreaterThan(0);
  });
});
