import { describe, expect, it } from 'vitest';
import { describeFault, readConfig, showDefaults } from '../../daemon/config.ts';

const read = (source: string) => readConfig(source, 'robot.toml', {});
const faults = (source: string) => read(source).faults.map(describeFault);

const LOCAL = '[[models]]\nname = "local"\nurl = "http://127.0.0.1:8000/v1"\nmodel = "tiny"\n';

describe('[[models]]', () => {
  it('is read in order, with defaults', () => {
    const { config, faults: found } = read(
      `${LOCAL}stall = "2 s"\n[[models]]\nname = "cloud"\nkind = "pi"\nprovider = "anthropic"\nmodel = "x"\ncost_out = 15.0\n`,
    );
    expect(found).toEqual([]);
    expect(config.models).toMatchObject([
      {
        name: 'local',
        kind: 'openai',
        stall: 2_000,
        silence: 300,
        probe_timeout: 600,
        concurrency: 4,
        json_mode: 'auto',
      },
      { name: 'cloud', kind: 'pi', provider: 'anthropic', cost_out: 15 },
    ]);
    expect(read('').config.models).toEqual([]);
  });

  it.each<[string, string, RegExp]>([
    ['no address', '[[models]]\nname = "a"\nmodel = "m"\n', /robot\.toml:1: models\[1\]\.url.*address/],
    ['no provider', '[[models]]\nname = "a"\nmodel = "m"\nkind = "pi"\n', /provider/],
    ['a name twice', LOCAL + LOCAL, /models\[2\]\.name = "local": expected a name that no other model has/],
    ['an unknown key', `${LOCAL}temprature = 1\n`, /robot\.toml:5: models\[1\]\.temprature.*one of the keys/],
    ['a negative price', `${LOCAL}cost_in = -1\n`, /US dollars/],
    [
      'a password in the address',
      '[[models]]\nname = "a"\nmodel = "m"\nurl = "http://me:pw@host/v1"\n',
      /without a password/,
    ],
    ['a table', '[models]\nname = "a"\n', /a list of tables/],
  ])('tells %s, with its line', (_what, source, message) => {
    expect(faults(source)[0]).toMatch(message);
  });

  it('never prints a key that somebody wrote into the file', () => {
    const told = faults(`${LOCAL}api_key = "sk-very-secret"\n`);
    expect(told[0]).toMatch(/api_key_file/);
    expect(told.join()).not.toContain('very-secret');
  });

  it('is shown by config show, every key with its meaning', () => {
    expect(showDefaults()).toMatch(/\[\[models\]\][\s\S]*# silence = "300 ms"[\s\S]*# concurrency = 4/);
  });
});
