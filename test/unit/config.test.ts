import { describe, expect, it } from 'vitest';
import { CONFIG_SPEC } from '../../daemon/config/keys.ts';
import { parseQuantity } from '../../daemon/config/quantity.ts';
import { lineOfKey } from '../../daemon/config/toml-lines.ts';
import { readConfig, requireConfig, showDefaults } from '../../daemon/config.ts';

const faultsOf = (source: string, env = {}) => readConfig(source, 'robot.toml', env).faults;

describe('configuration', () => {
  it('has a default for everything: an empty file is a whole configuration', () => {
    const { config, faults } = readConfig('', 'robot.toml', {});
    expect(faults).toEqual([]);
    for (const [section, keys] of Object.entries(CONFIG_SPEC)) {
      expect(Object.keys((config as Record<string, object>)[section]!).sort()).toEqual(
        Object.keys(keys).sort(),
      );
    }
  });

  it('prints its defaults as a file that reads back to the same', () => {
    expect(requireConfig(showDefaults(), 'shown', {})).toEqual(requireConfig('', 'empty', {}));
  });

  it.each([
    [
      'a wrong key',
      '[recorder]\n\nsegmentsize = "1 MB"',
      { line: 3, key: 'recorder.segmentsize', value: '"1 MB"', expected: /did you mean segment_size/ },
    ],
    [
      'a wrong table',
      '# hello\n[recoder]\nx = 1',
      { line: 2, key: 'recoder', expected: /did you mean recorder/ },
    ],
    [
      'a wrong type',
      '[api]\nport = "7601"',
      { line: 2, key: 'api.port', value: '"7601"', expected: /whole number from 0 to 65535/ },
    ],
    [
      'a wrong unit',
      '[recorder]\nsync_interval = "200 kg"',
      { line: 2, key: 'recorder.sync_interval', value: '"200 kg"', expected: /duration with its unit/ },
    ],
    [
      'a missing unit',
      '[recorder]\nsync_interval = 200',
      { line: 2, key: 'recorder.sync_interval', value: '200', expected: /"200 ms"/ },
    ],
    ['a dotted key', 'robot.speed_max = "-3 m/s"', { line: 1, key: 'robot.speed_max', expected: /at least/ }],
    [
      'a wrong choice',
      '[daemon]\ncells = "threads"',
      { line: 2, key: 'daemon.cells', expected: /"forked", "inline"/ },
    ],
    [
      'a clock that is none',
      '[robot]\nclock = "ntp"',
      { line: 2, key: 'robot.clock', expected: /"shared", "own"/ },
    ],
    [
      'a name of a host with its port',
      '[api]\nhost_names = ["robot7.local", "robot7.local:7601"]',
      { line: 2, key: 'api.host_names', expected: /without scheme and port/ },
    ],
    ['a table that is a value', 'api = 3', { line: 1, key: 'api', expected: /a table/ }],
    [
      'a bad topic',
      '[[ros.topics]]\ntopic = "/scan"\ntype = "LaserScan"',
      { line: 1, key: 'ros.topics', expected: /package\/msg\/Type.*entry 1/ },
    ],
    [
      'a prototype key',
      '[api]\nconstructor = 1',
      { line: 2, key: 'api.constructor', expected: /one of the keys/ },
    ],
  ])('names file, line, key, value and expectation of %s', (_, source, wanted) => {
    const faults = faultsOf(source);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({
      file: 'robot.toml',
      ...wanted,
      expected: expect.stringMatching(wanted.expected),
    });
  });

  it('takes an outgoing topic for the velocity command only', () => {
    const out = (type: string) => `[[ros.topics]]\ntopic = "/x"\ndirection = "out"\ntype = "${type}"`;
    expect(faultsOf(out('sensor_msgs/msg/LaserScan'))[0]!.expected).toMatch(/velocity command/);
    expect(faultsOf(out('geometry_msgs/msg/Twist'))).toEqual([]);
  });

  it('takes names of this host in any spelling, and nothing that stands for every name', () => {
    const { config, faults } = readConfig('[api]\nhost_names = ["Robot7.local", "robot-7.example"]', 'f', {});
    expect([config.api.host_names, faults]).toEqual([['robot7.local', 'robot-7.example'], []]);
    for (const name of ['*', '*.example', '', 'http://robot7', '[::1]', 'a..b', '-a', 'robot7.local.'])
      expect(faultsOf(`[api]\nhost_names = ["${name}"]`), name).toHaveLength(1);
  });

  it('names the line of a syntax error', () => {
    const [fault] = faultsOf('[api]\nport = = 3');
    expect(fault).toMatchObject({ file: 'robot.toml', line: 2 });
    expect(() => requireConfig('[api', 'robot.toml', {})).toThrow(/robot\.toml:1/);
  });

  it('collects every fault in one look', () => {
    expect(() => requireConfig('[api]\nport = -1\nhots = "x"\n[zenoh]\nmode = 4', 'robot.toml', {})).toThrow(
      /:2: .*\n.*:3: .*\n.*:5: /s,
    );
  });

  it('refuses secrets in the file and never prints them', () => {
    const [fault] = faultsOf('[link]\ntoken = "hunter2"');
    expect(fault!.expected).toMatch(/token_file/);
    expect(JSON.stringify(fault)).not.toContain('hunter2');
  });

  it('lets the environment win over the file and checks it as strictly', () => {
    const { config } = readConfig('[sim]\nseed = 4', 'robot.toml', {
      AURAISON_SIM_SEED: '9',
      AURAISON_ZENOH_LISTEN: 'tcp/127.0.0.1:7447, tcp/[::1]:7447',
    });
    expect(config.sim.seed).toBe(9);
    expect(config.zenoh.listen).toEqual(['tcp/127.0.0.1:7447', 'tcp/[::1]:7447']);
    expect(faultsOf('', { AURAISON_SIM_SEED: 'nine' })[0]).toMatchObject({
      file: 'environment',
      key: 'AURAISON_SIM_SEED',
    });
    expect(faultsOf('', { AURAISON_SIM_SEDE: '9' })[0]).toMatchObject({ key: 'AURAISON_SIM_SEDE' });
  });
});

describe('quantities', () => {
  it('are read into base units', () => {
    const value = (kind: Parameters<typeof parseQuantity>[0], text: string) => {
      const result = parseQuantity(kind, text);
      return result.ok ? result.value : undefined;
    };
    expect(value('duration', '5 min')).toBe(300_000);
    expect(value('size', '256MiB')).toBe(256 * 2 ** 20);
    expect(value('speed', '36 km/h')).toBeCloseTo(10);
    expect(value('angular_speed', '180 deg/s')).toBeCloseTo(Math.PI);
    for (const bad of ['', '5', 'NaN ms', 'Infinity s', '5 constructor', '0x10 ms', '5 ms ms'])
      expect(value('duration', bad), bad).toBeUndefined();
  });
});

describe('lines of keys', () => {
  it('are found through tables, dotted keys, quotes and comments', () => {
    const source = '# api.port = 1\n[api]\n"port" = 2\n[recorder]\nbag = "port = 3"\nlink.token_file = "x"';
    expect(lineOfKey(source, ['api', 'port'])).toBe(3);
    expect(lineOfKey(source, ['recorder', 'link', 'token_file'])).toBe(6);
    expect(lineOfKey(source, ['recorder', 'missing'])).toBe(4);
    expect(lineOfKey(source, ['nowhere'])).toBeUndefined();
  });

  it('takes names and patterns for what moves nothing, and refuses what is none', () => {
    const read = (harmless: string) => readConfig(`[robot]\nharmless = ${harmless}\n`, 'robot.toml', {});
    expect(read('["/chatter", "/ui/**"]').config.robot.harmless).toEqual(['/chatter', '/ui/**']);
    for (const [wrong, words] of [
      ['"/chatter"', 'a list of names or patterns'],
      ['["chatter"]', 'leading slash'],
      ['["/a//b"]', 'empty chunk'],
      ['["/a b"]', 'forbidden character'],
    ] as const) {
      const { faults } = read(wrong);
      expect(faults).toMatchObject([{ key: 'robot.harmless', expected: expect.stringContaining(words) }]);
    }
  });
});
