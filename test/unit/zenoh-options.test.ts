import { expect, it } from 'vitest';
import { DeliveryRules } from '../../adapters/zenoh/delivery.ts';
import { asksForZenoh, zenohOptions } from '../../daemon/compose/zenoh-options.ts';
import { readConfig } from '../../daemon/config.ts';

const read = (toml: string) => readConfig(`[zenoh]\n${toml}`, 'robot.toml', {});
const NOW = 1_790_000_000_000_000_000n;
const options = (toml: string) => {
  const { config, faults } = read(toml);
  expect(faults).toEqual([]);
  return zenohOptions(config.zenoh, {}, NOW as never);
};

it('opens with nothing but the endpoints where nothing is configured', () => {
  expect(options('')).toMatchObject({ mode: 'peer', listen: [], connect: [], delivery: [], config: {} });
  expect(options('shared_memory = "0 B"')).toMatchObject({
    sharedMemoryBytes: 0,
    config: { 'transport/shared_memory/enabled': false },
  });
});

it('writes access rules, downsampling and size limits as Zenoh reads them', () => {
  const { config } = options(`
[[zenoh.access]]
keys = ["state/**"]
flow = "out"
[[zenoh.access]]
permission = "deny"
messages = ["put"]
interfaces = ["wlan0"]
[[zenoh.downsampling]]
keys = ["camera/**"]
rate = "2 Hz"
interfaces = ["wlan0"]
[[zenoh.size_limits]]
size = "1 MiB"
flow = "in"
`);
  expect(config).toMatchObject({
    access_control: {
      enabled: true,
      default_permission: 'deny',
      rules: [
        { id: 'rule1', permission: 'allow', flows: ['egress'], key_exprs: ['state/**'] },
        { id: 'rule2', permission: 'deny', flows: ['ingress', 'egress'], messages: ['put'] },
      ],
      subjects: [{ id: 'subject1' }, { id: 'subject2', interfaces: ['wlan0'] }],
      policies: [
        { rules: ['rule1'], subjects: ['subject1'] },
        { rules: ['rule2'], subjects: ['subject2'] },
      ],
    },
    downsampling: [{ interfaces: ['wlan0'], rules: [{ key_expr: 'camera/**', freq: 2 }] }],
    low_pass_filter: [{ flows: ['ingress'], key_exprs: ['**'], size_limit: 1_048_576 }],
  });
});

it.each([
  ['access', 'permission = "perhaps"', 'one of "allow", "deny"'],
  ['access', 'keys = ["a//b"]', 'not "a//b"'],
  ['access', 'keys = []', 'key expressions'],
  ['access', 'messages = ["shout"]', 'declare_subscriber'],
  ['access', 'who = ["me"]', 'not "who"'],
  ['downsampling', 'rate = 5', 'with its unit'],
  ['size_limits', 'size = "many"', 'with its unit'],
  ['delivery', 'priority = "urgent"', '"real_time"'],
])('tells file, key and what was expected in [[zenoh.%s]]: %s', (table, line, expected) => {
  const { faults } = read(`[[zenoh.${table}]]\n${line}\n`);
  expect(faults).toMatchObject([{ file: 'robot.toml', key: `zenoh.${table}` }]);
  expect(faults[0]!.expected).toContain(expected);
  expect(faults[0]!.line).toBe(2);
});

it.each([
  ['listen = ["tls/0.0.0.0:7447"]', 'zenoh.tls_certificate', 'needs a certificate'],
  ['tls_certificate = "/some.pem"', 'zenoh.tls_key', 'belong together'],
  ['tls_ca = "/does/not/exist.pem"', 'zenoh.tls_ca', '/does/not/exist.pem'],
  [`tls_ca = "${import.meta.filename}"`, 'zenoh.tls_ca', 'no PEM certificate'],
  ['tls_ca = "credential:ca"', 'zenoh.tls_ca', 'no credential ca'],
  ['[[zenoh.access]]\nnames = ["operator"]', 'zenoh.access[1].names', 'mutual TLS'],
])('refuses %s, naming the key, what is wrong and what to do', (toml, subject, message) => {
  let thrown: unknown;
  try {
    options(toml);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({
    code: expect.stringMatching(/^config\./),
    subject,
    message: expect.stringContaining(message),
    hint: expect.stringMatching(/./),
  });
});

it('applies the first delivery rule that matches, and leaves the rest as sent', () => {
  const { delivery } = options(`
[[zenoh.delivery]]
keys = ["safety/**", "*/estop"]
priority = "real_time"
congestion = "block"
express = true
[[zenoh.delivery]]
keys = ["camera/**"]
congestion = "drop"
`);
  const rules = new DeliveryRules(delivery);
  const asked = { priority: 'data_low', encoding: 'x' } as const;
  expect(rules.apply('arm/estop', asked)).toEqual({
    priority: 'real_time',
    congestion: 'block',
    express: true,
    encoding: 'x',
  });
  expect(rules.apply('camera/a', asked)).toEqual({ ...asked, congestion: 'drop' });
  expect(rules.apply('odom', asked)).toBe(asked);
});

it.each([
  ['', {}, false],
  ['[zenoh]\nenabled = true', {}, false],
  ['[zenoh]\nconnect = ["tcp/router:7447"]', {}, true],
  ['[zenoh]\ndriver = "remote"', {}, true],
  ['[[routes]]\nname = "up"\nfrom = "bus:/odom"\nto = "zenoh:a/odom"', {}, true],
  ['[robot]\nsource = "ros_zenoh"', {}, true],
  ['', { AURAISON_ZENOH_NATIVE: '/a/driver.node' }, true],
])('whether anything asks for Zenoh: %j %j', (toml, env, asks) => {
  expect(asksForZenoh(readConfig(toml, 'robot.toml', {}).config, env)).toBe(asks);
});
