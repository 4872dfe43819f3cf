import { describe, expect, it } from 'vitest';
import { specOf, speedTopics } from '../../daemon/compose/controllers.ts';
import { readConfig, showDefaults } from '../../daemon/config.ts';

const GOOD = `
[[controllers]]
name = "arm"
rate = "100 Hz"
output = "/commands"
joints = ["a", "b"]

[[controllers.inputs]]
name = "observation.state"
topic = "/joint_states"
joints = ["b", "a"]
age_max = "80 ms"

[[controllers.inputs]]
name = "observation.images.front"
topic = "/camera/front/image_raw"
crop = [10, 20, 300, 200]
`;

const faultsOf = (toml: string) => readConfig(toml, 'robot.toml', {}).faults;

describe('[[controllers]]', () => {
  it('is read with units, inputs and defaults', () => {
    const { config, faults } = readConfig(GOOD, 'robot.toml', {});
    expect(faults).toEqual([]);
    expect(specOf(config.controllers[0]!)).toMatchObject({
      name: 'arm',
      rateHz: 100,
      output: { topic: '/commands', kind: 'positions', names: ['a', 'b'] },
      state: '/joint_states',
      aggregation: 'weighted_average',
      starvation: 'hold',
      inputs: [
        { name: 'observation.state', joints: ['b', 'a'], ageMaxMs: 80, field: 'position' },
        { name: 'observation.images.front', crop: [10, 20, 300, 200], ageMaxMs: 200, fit: 'stretch' },
      ],
    });
  });

  it('names the topics that carry speeds of joints, and refuses positions on them', () => {
    const velocity = GOOD.replace('joints = ["a", "b"]', 'kind = "velocities"\njoints = ["a", "b"]');
    const topics = (toml: string) => speedTopics(readConfig(toml, 'robot.toml', {}).config);
    expect(topics(velocity)).toMatchObject([
      { topic: '/commands', type: 'std_msgs/msg/Float64MultiArray', speeds: 2 },
    ]);
    expect(topics(GOOD)).toEqual([]);
    const both = velocity + GOOD.replace('name = "arm"', 'name = "other"');
    expect(faultsOf(both)).toMatchObject([
      {
        key: 'controllers.output',
        expected: expect.stringMatching(/controller other sends positions there/),
      },
    ]);
    const beside = (topic: string) => `${velocity}\n[gate]\ncommands = "${topic}"`;
    expect(faultsOf(beside('/commands'))).toMatchObject([
      { key: 'controllers.output', expected: expect.stringMatching(/gate.commands sends positions there/) },
    ]);
    expect(faultsOf(beside('/others'))).toEqual([]);
  });

  it('takes positions at any rate, and speeds as often as they have to be renewed', () => {
    const slow = GOOD.replace('100 Hz', '1 Hz');
    expect(faultsOf(slow)).toEqual([]);
    expect(faultsOf(slow.replace('1 Hz"', '4 Hz"\nkind = "velocities"'))).toEqual([]);
  });

  it('a base has two numbers and measures no joints', () => {
    const { config } = readConfig(GOOD.replace('joints = ["a", "b"]', 'kind = "twist"'), 'robot.toml', {});
    expect(specOf(config.controllers[0]!)).toMatchObject({
      output: { kind: 'twist', names: ['linear', 'angular'] },
      state: '',
    });
  });

  it.each([
    ['rate = "100 Hz"', 'rate = "501 Hz"', 'controllers[1].rate', 'at most 500'],
    ['rate = "100 Hz"', 'rate = 100', 'controllers[1].rate', 'frequency'],
    ['output = "/commands"', 'output = "commands"', 'controllers[1].output', '"/name"'],
    ['output = "/commands"', 'speed = 3', 'controllers[1].speed', 'one of the keys name, rate'],
    ['joints = ["a", "b"]', 'joints = ["a", "a"]', 'controllers[1].joints', 'names that differ'],
    ['joints = ["a", "b"]', '', 'controllers[1].joints', '1 to 64 names'],
    ['joints = ["a", "b"]', 'joints = ["a"]\nkind = "twist"', 'controllers[1].joints', 'none beside'],
    [
      'joints = ["a", "b"]',
      'joints = ["a"]\nstarvation = "retract"',
      'controllers[1].retract',
      '1 positions',
    ],
    [
      'rate = "100 Hz"',
      'rate = "3.9 Hz"\nkind = "velocities"',
      'controllers[1].rate',
      'at least 4 Hz beside kind = "velocities": a speed that is not renewed within 300 ms is followed by zeros',
    ],
    [
      'rate = "100 Hz"\noutput = "/commands"\njoints = ["a", "b"]',
      'rate = "2 Hz"\noutput = "/commands"\nkind = "twist"',
      'controllers[1].rate',
      'at least 4 Hz beside kind = "twist"',
    ],
    ['age_max = "80 ms"', 'age_max = 80', 'controllers[1].inputs', 'age_max = a duration'],
    ['age_max = "80 ms"', 'rate = "1 Hz"', 'controllers[1].inputs', 'not "rate"'],
    ['crop = [10, 20, 300, 200]', 'crop = [1, 2]', 'controllers[1].inputs', 'four whole numbers'],
  ])('%s as %s is refused, naming %s', (from, to, key, expected) => {
    const [fault] = faultsOf(GOOD.replace(from, to));
    expect(fault!.key).toBe(key);
    expect(fault!.expected).toContain(expected);
  });

  it('two of one name are refused, and all keys are shown', () => {
    expect(faultsOf(GOOD + GOOD)[0]).toMatchObject({ key: 'controllers[2].name' });
    for (const key of ['[[controllers]]', 'aggregation = "weighted_average"', 'age_max = "200 ms"'])
      expect(showDefaults()).toContain(key);
  });
});
