import { describe, expect, it } from 'vitest';
import { isStop } from '../../cli/is-stop.ts';

describe('the way of the emergency stop through the command line', () => {
  it.each([
    ['estop'],
    ['estop', 'release', '--reason', 'x'],
    ['--json', 'estop'],
    ['--config', 'robot.toml', 'estop'],
    ['--data-dir', '/data', '--json', 'estop', 'status'],
    ['--config=robot.toml', 'estop'],
    ['stop'],
    ['--json', 'stop', '--reason', 'x'],
  ])('is taken by %s %s %s %s', (...args) => {
    expect(isStop(args.filter((arg) => arg !== undefined))).toBe(true);
  });

  it.each([
    [],
    ['--help'],
    ['status'],
    ['--config', 'estop'],
    ['--data-dir', 'estop', 'status'],
    ['help', 'estop'],
    ['service', 'stop'],
  ])('is not taken by others', (...args) => {
    expect(isStop(args)).toBe(false);
  });
});
