import { describe, expect, it } from 'vitest';
import { readConfig, showDefaults } from '../../daemon/config.ts';
import { planReload } from '../../daemon/supervisor/reload-plan.ts';

const read = (source: string) => readConfig(source, 'robot.toml', {});
const ONE = '[[policies]]\nname = "pick"\npath = "/p.onnx"\n';

describe('[[policies]]', () => {
  it('has a default for everything but a name and where the policy is', () => {
    const { config, faults } = read(ONE);
    expect(faults).toEqual([]);
    expect(config.policies).toMatchObject([
      {
        name: 'pick',
        kind: 'onnx',
        sha256: '',
        device: 'cpu',
        memory: 'own',
        sessions: 64,
        queue: 8,
        timeout: 5_000,
      },
    ]);
    expect(read('').config.policies).toEqual([]);
  });

  it('has one memory for all sessions at a server of LeRobot, unless it says otherwise', () => {
    const row = '[[policies]]\nname = "act"\nkind = "lerobot"\nurl = "127.0.0.1:8080"\n';
    expect(read(row)).toMatchObject({ faults: [], config: { policies: [{ memory: 'serial' }] } });
    expect(read(`${row}memory = "own"`).config.policies).toMatchObject([{ memory: 'own' }]);
    const other = '[[policies]]\nname = "pi0"\nkind = "openpi"\nurl = "ws://127.0.0.1:8000"\n';
    expect(read(other).config.policies).toMatchObject([{ memory: 'own' }]);
    expect(read('policies = [7]').faults.map(({ key }) => key)).not.toEqual([]);
  });

  it.each([
    ['policies[1].path', '[[policies]]\nname = "a"'],
    ['policies[1].url', '[[policies]]\nname = "a"\nkind = "zenoh"'],
    ['policies[1].name', '[[policies]]\npath = "/p.onnx"'],
    ['policies[2].name', `${ONE}${ONE}`],
    ['policies[1].kind', '[[policies]]\nname = "a"\nkind = "torch"\npath = "/p"'],
    ['policies[1].sha256', `${ONE}sha256 = "abc"`],
    ['policies[1].url', '[[policies]]\nname = "a"\nkind = "openpi"\nurl = "ws://me:secret@host"'],
    ['policies[1].queue', `${ONE}queue = 0`],
    ['policies[1].token', `${ONE}token = "x"`],
    ['policies', '[policies]\nname = "a"'],
    ['inference.ros', '[inference]\nros = "a b"'],
  ])('names the fault at %s', (key, source) => {
    expect(read(source).faults.map((fault) => fault.key)).toContain(key);
  });

  it('never prints what may be a token', () => {
    expect(JSON.stringify(read(`${ONE}token = "hunter2"`).faults)).not.toContain('hunter2');
  });

  it('is shown with its defaults', () => {
    expect(showDefaults()).toContain('# [[policies]]');
  });

  it('counts without any cell starting anew when it changed, and [inference] with the execution cell', () => {
    const [before, after] = [read(ONE).config, read(`${ONE}sha256 = "${'a'.repeat(64)}"`).config];
    expect(planReload(before, after)).toMatchObject({ live: ['policies'], restart: [] });
    expect(planReload(before, read(`${ONE}[inference]\nzenoh = false`).config)).toMatchObject({
      restart: ['execution'],
    });
  });
});
