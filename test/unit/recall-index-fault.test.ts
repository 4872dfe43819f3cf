import { closeSync, mkdirSync, openSync, rmdirSync, statSync, writeSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import { noteOf, RecallRig, runOf } from '../support/recall-rig.ts';

let rig: RecallRig;
beforeEach(async () => {
  rig = new RecallRig();
  await rig.say(runOf(0), ...noteOf(10, 'The charger is behind the red door'));
});
afterEach(() => rig.stop());

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof EdgeError ? error.code : String(error)),
  );

describe('the index of recall', () => {
  it('is kept where it could not be opened for a while', async () => {
    expect(await rig.found('charger')).toHaveLength(1);
    await rig.restart();
    // What the log had is gone: only the index knows it.
    rig.logs.clear();
    rig.disks.clear();
    mkdirSync(`${rig.path}-wal`);
    expect(await codeOf(rig.ask('charger'))).toBe('lake.failed');
    rmdirSync(`${rig.path}-wal`);
    expect(await rig.found('charger')).toEqual(['The charger is behind the red door']);
  });

  it('is made again where it is found to be damaged while it is open', async () => {
    expect(await rig.found('charger')).toHaveLength(1);
    await rig.restart();
    const file = openSync(rig.path, 'r+');
    // All but the first page, which has the layout.
    writeSync(file, Buffer.alloc(statSync(rig.path).size - 4_096, 0xa5), 0, undefined, 4_096);
    closeSync(file);
    await codeOf(rig.ask('charger'));
    expect(await rig.found('charger')).toEqual(['The charger is behind the red door']);
  });

  it('is closed at the end without the questions that wait for their turn', async () => {
    const asked = [rig.ask('charger'), rig.ask('door')].map(codeOf);
    await turn();
    await rig.restart();
    expect(await Promise.all(asked)).toEqual(['none', 'lake.unavailable']);
  });
});
