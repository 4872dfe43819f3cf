import { describe, expect, it } from 'vitest';
import { readConfig } from '../../daemon/config.ts';
import { planReload } from '../../daemon/supervisor/reload-plan.ts';

const config = (source: string) => {
  const { config: read, faults } = readConfig(source, 'robot.toml', {});
  expect(faults).toEqual([]);
  return read;
};
const plan = (before: string, after: string) => planReload(config(before), config(after));

describe('what a reload does', () => {
  it('is nothing where nothing changed', () => {
    expect(plan('[zenoh]\nmode = "peer"', '')).toEqual({ changed: [], restart: [], live: [], later: [] });
  });

  it('starts the cell anew that keeps the limits, and whoever else asks for them', () => {
    const limit = '[gate]\n[[gate.limits]]\nname = "joint_1"\nvelocity = 0.5\n';
    expect(plan('', limit)).toMatchObject({ changed: ['gate'], restart: ['execution'] });
    expect(plan('', '[lease]\nttl = "1 s"\n')).toMatchObject({ restart: ['execution'] });
    expect(plan('', '[estop]\nrelease_role = "safety"\n')).toMatchObject({
      restart: ['execution', 'runtime'],
    });
  });

  it('opens the Zenoh session again and restarts nobody for its policies and endpoints', () => {
    const rule = '[[zenoh.access]]\npermission = "allow"\nkeys = ["a/**"]\nmessages = ["put"]\n';
    expect(plan('', `[zenoh]\nlisten = ["tcp/127.0.0.1:7447"]\n${rule}`)).toEqual({
      changed: ['zenoh'],
      restart: [],
      live: ['zenoh'],
      later: [],
    });
  });

  it('starts the execution cell anew where the robot itself is reached over Zenoh: it holds a session of its own', () => {
    const over = (host: string) => `[zenoh]\nmode = "client"\nconnect = ["tcp/${host}:7447"]\n`;
    const robot = '[robot]\nsource = "ros_zenoh"\n';
    expect(plan(`${robot}${over('a.local')}`, `${robot}${over('b.local')}`)).toEqual({
      changed: ['zenoh'],
      restart: ['execution'],
      live: [],
      later: [],
    });
    // A source that was changed counts from the next start: until then the former one is what runs.
    expect(plan(`${robot}${over('a.local')}`, over('b.local'))).toMatchObject({
      restart: ['execution'],
      later: ['robot.source'],
    });
    expect(plan(over('a.local'), `${robot}${over('b.local')}`)).toMatchObject({
      restart: [],
      live: ['zenoh'],
    });
  });

  it('takes models and the server of one of them without a restart', () => {
    const model = '[[models]]\nname = "m"\nurl = "http://127.0.0.1:1/v1"\nmodel = "x"\n';
    expect(plan('', `${model}[engine]\nmodel_name = "m"`)).toEqual({
      changed: ['engine', 'models'],
      restart: [],
      live: ['engine', 'models'],
      later: [],
    });
  });

  it('restarts the cells that read what changed, and no others', () => {
    expect(plan('', '[control]\nrate = "50 Hz"').restart).toEqual(['execution']);
    expect(plan('', '[zenoh]\nprefix = "fleet/7"').restart).toEqual(['execution']);
    expect(plan('', '[link]\ncentral_url = "https://central.example"').restart).toEqual(['link']);
    expect(plan('', '[api]\nport = 7700').restart).toEqual(['runtime']);
    expect(plan('', '[lake]\nengine = "duckdb"\n[recorder]\nmode = "ring"').restart).toEqual([
      'execution',
      'memory',
      'runtime',
    ]);
    expect(plan('', '[[routes]]\nname = "a"\nfrom = "ros:/a"\nto = "zenoh:a"').restart).toEqual([
      'execution',
    ]);
  });

  it('says what needs a new daemon', () => {
    expect(plan('', '[daemon]\nname = "seven"\n[sim]\nseed = 9\n[robot]\nsource = "ros"')).toMatchObject({
      restart: [],
      later: ['daemon.name', 'robot.source', 'sim.seed'],
    });
  });
});
