import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { configSchema } from '../../daemon/config/json-schema.ts';
import { readConfig, showDefaults, tomlOf } from '../../daemon/config.ts';
import { auraison, ROOT } from '../support/daemon.ts';

/** The schema that editors complete and check a configuration with, by a validator that was not written here. */
const validate = new Ajv({ allErrors: true, strict: false }).compile(configSchema());
function faultsOf(toml: string): string[] {
  validate(tomlOf(toml));
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
const EXAMPLES = [
  'docs/examples/ar4.toml',
  'launch/turtlebot/turtlebot3.toml',
  'launch/turtlebot/turtlebot4.toml',
];

describe('the schema of the configuration', () => {
  it.each(EXAMPLES)('takes %s', (file) => {
    expect(faultsOf(readFileSync(join(ROOT, file), 'utf8'))).toEqual([]);
  });

  it('takes every default, and every example of the documents that the daemon takes', () => {
    expect(faultsOf(showDefaults())).toEqual([]);
    const blocks = readdirSync(join(ROOT, 'docs'))
      .filter((name) => name.endsWith('.md'))
      .flatMap((name) => [
        ...readFileSync(join(ROOT, 'docs', name), 'utf8').matchAll(/```toml\n([\s\S]*?)```/g),
      ]);
    const taken = blocks
      .map(([, toml]) => toml!)
      .filter((toml) => readConfig(toml, 'docs', {}).faults.length === 0);
    expect(taken.length).toBeGreaterThan(10);
    expect(taken.flatMap((toml) => faultsOf(toml).map((fault) => `${fault} in ${toml}`))).toEqual([]);
  });

  it('refuses keys, units, choices and numbers that the daemon refuses', () => {
    const wrong = [
      ['[sim]\nsped = "1"', '/sim must NOT have additional properties'],
      ['[recorder]\nsegment_size = "5 min"', '/recorder/segment_size must match pattern'],
      ['[robot]\nsource = "moon"', '/robot/source must be equal to one of the allowed values'],
      ['[api]\nport = 70000', '/api/port must be <= 65535'],
      ['[[models]]\nnme = "a"', '/models/0 must NOT have additional properties'],
      ['[nothing]\na = 1', ' must NOT have additional properties'],
    ];
    for (const [toml, fault] of wrong) {
      expect(readConfig(toml!, 'test', {}).faults.length).toBeGreaterThan(0);
      expect(faultsOf(toml!).join('\n')).toContain(fault);
    }
  });

  it('is printed by the command line, with what each key means', () => {
    const { status, stdout } = auraison(['config', 'schema']);
    expect(status).toBe(0);
    const schema = JSON.parse(stdout) as { properties: { api: { properties: { port: object } } } };
    expect(schema.properties.api.properties.port).toEqual({
      ...{ type: 'integer', minimum: 0, maximum: 65535, default: 7601 },
      description: 'port of the API; 0 picks a free one',
    });
  });
});
