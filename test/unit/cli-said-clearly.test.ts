import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readPolicySource } from '../../adapters/cedar/index.ts';
import { inZone } from '../../cli/commands/schedules.ts';
import { leftOut } from '../../cli/dataset/export-command.ts';
import { policyRow } from '../../cli/learning/train-command.ts';
import { readConfig } from '../../daemon/config.ts';
import { freshDir } from '../support/daemon.ts';

const folder = freshDir('cli-said');
afterAll(() => folder.remove());

it('the row of a learned policy can be pasted into the configuration', () => {
  const row = policyRow({ name: 'picks', path: '/data/model.onnx', sha256: 'a'.repeat(64) });
  const { config, faults } = readConfig(row, 'robot.toml', {});
  expect(faults).toEqual([]);
  expect(config.policies).toMatchObject([{ name: 'picks', kind: 'onnx', path: '/data/model.onnx' }]);
});

it('a recording that an export leaves out is named once', () => {
  expect(leftOut({ source: 'e1', reason: 'e1: /joint_states was not recorded' })).toBe(
    'e1: /joint_states was not recorded',
  );
  expect(leftOut({ source: 'e1', reason: 'a damaged file' })).toBe('e1: a damaged file');
});

it('times of schedules have two digits for the hour', () => {
  expect(inZone('1795851600000000000', 'UTC')).toBe('2026-11-28 07:40:00 UTC');
});

it('a folder of policies that is not there is called that', () => {
  const missing = join(folder.path, 'nope');
  expect(() => readPolicySource(missing, [])).toThrow(
    expect.objectContaining({ code: 'policy.invalid', message: `there is no folder ${missing}` }),
  );
});
