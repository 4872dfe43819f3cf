import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stop } from '../../cli/commands/stop.ts';
import { EdgeError, METHODS } from '../../contract/core.ts';
import { lockDataDir } from '../../daemon/supervisor/data-lock.ts';
import { nobodysPort, personAt, portOf } from '../support/cli-person.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';

let folder: string;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-stop-'));
  writeFileSync(join(folder, 'robot.toml'), '');
  mkdirSync(join(folder, 'data'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

const stopFile = () => join(folder, 'data', 'estop');

async function daemon(): Promise<Rig> {
  const rig = await startRig();
  closing.push(() => rig.stop());
  return rig;
}

describe('auraison stop', () => {
  it('stops the robot and says so', async () => {
    const rig = await daemon();
    const orders: unknown[] = [];
    rig.answers.set(METHODS.execution.robotStop, async (order) => {
      orders.push(order);
      return undefined;
    });
    const { context, told } = personAt(folder, portOf(rig), { AURAISON_TOKEN: TOKEN });
    expect(await stop(context, 'a child')).toBe(0);
    expect(orders).toEqual([expect.objectContaining({ reason: 'a child' })]);
    expect(told).toEqual(['stopped: the robot stands, and its runs are cancelled']);
  });

  it('ends with 1 where the robot was not measured to stand', async () => {
    const rig = await daemon();
    const fault = new EdgeError('robot.unreachable', { operation: 'stop', subject: 'robot' });
    rig.answers.set(METHODS.execution.robotStop, () => Promise.reject(fault));
    const { context, told, results } = personAt(folder, portOf(rig), { AURAISON_TOKEN: TOKEN });
    expect(await stop(context, 'a child')).toBe(1);
    expect(results).toEqual([{ stopped: true, confirmed: false }]);
    expect(told.at(-1)).toContain('NOT CONFIRMED');
  });

  it('engages the emergency stop where a daemon runs whose API does not answer', async () => {
    const lock = lockDataDir(join(folder, 'data'), process.pid);
    closing.push(() => lock.release());
    const { context, told } = personAt(folder, await nobodysPort());
    expect(await stop(context, 'a child')).toBe(0);
    expect(existsSync(stopFile())).toBe(true);
    expect(told.join('\n')).toContain('the emergency stop is used instead');
    expect(told.at(-1)).toContain('engaged by the file');
  });

  it('says that nothing was stopped where no daemon runs, and leaves no stop for the next start', async () => {
    const { context } = personAt(folder, await nobodysPort());
    await expect(stop(context, 'a child')).rejects.toMatchObject({
      message: expect.stringContaining('NOT stopped'),
    });
    expect(existsSync(stopFile())).toBe(false);
  });

  it('says that nothing was stopped where the token is refused', async () => {
    const { context } = personAt(folder, portOf(await daemon()), { AURAISON_TOKEN: 'another token' });
    await expect(stop(context, 'a child')).rejects.toMatchObject({
      code: 'api.unauthorised',
      message: expect.stringContaining('NOT stopped'),
    });
  });
});
