import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intersects, keyExprFault } from '../../adapters/zenoh/key-expr.ts';
import { compilePattern, fillTemplate, patternFault, templateFault } from '../../contract/topic-pattern.ts';
import { describeFault, readConfig } from '../../daemon/config.ts';

const faultsOf = (source: string) => readConfig(source, 'robot.toml', {}).faults.map(describeFault);

describe('[[routes]]', () => {
  it('is read with its units and defaults', () => {
    const { config, faults } = readConfig(
      `[[routes]]
name = "cameras"
from = "ros:/camera/**"
to = "zenoh:fleet/{robot}/camera/**"
allow = ["/camera/*/image"]
rate = "10 Hz"
keep_every = 3
priority = "background"
congestion = "drop"`,
      'robot.toml',
      {},
    );
    expect(faults).toEqual([]);
    expect(config.routes).toEqual([
      {
        name: 'cameras',
        from: { kind: 'ros', pattern: '/camera/**' },
        to: { kind: 'zenoh', pattern: 'fleet/{robot}/camera/**' },
        allow: ['/camera/*/image'],
        deny: [],
        rateHz: 10,
        rateMode: 'newest',
        keepEvery: 3,
        priority: 'background',
        congestion: 'drop',
        express: false,
        depth: 256,
        type: '',
        reliability: 'reliable',
        durability: 'volatile',
      },
    ]);
  });

  it.each([
    ['rate = 10', /^robot.toml:6: routes\[2\]\.rate = 10: expected a frequency with its unit/],
    [
      'rate = "20 kHz"',
      /robot.toml:6: routes\[2\]\.rate = "20 kHz": expected a frequency from 0 Hz to 10 kHz/,
    ],
    ['keep_every = 0', /routes\[2\]\.keep_every = 0: expected a whole number from 1/],
    ['priority = "high"', /routes\[2\]\.priority = "high": expected one of "auto", "real_time"/],
    ['speed = 1', /routes\[2\]\.speed = 1: expected one of the keys name, from/],
    ['deny = ["/a//b"]', /routes\[2\]\.deny = "\/a\/\/b": expected patterns .* empty chunk/],
    ['type = "Image"', /routes\[2\]\.type = "Image": expected "package\/msg\/Type"/],
  ])('refuses %s with its line', (line, message) => {
    const source = `[[routes]]
name = "a"
from = "ros:/a"
to = "zenoh:a"
[[routes]]
${line}
name = "b"
from = "ros:/b"
to = "zenoh:b"`;
    expect(faultsOf(source)).toEqual([expect.stringMatching(message)]);
  });

  it.each([
    ['ros:/a/**', 'zenoh:one/key', /several topics to one name/],
    ['ros:/a/*', 'zenoh:b/**', /has the wildcards \*\*, but the other end has \*/],
    ['ros:a', 'zenoh:b', /leading slash: "ros:\/a"/],
    ['zenoh:/a', 'ros:/b', /without a leading slash/],
    ['ros:/a', 'ros:/b', /another kind of end/],
    ['mqtt:/a', 'zenoh:b', /"ros:\/topic", "zenoh:key" or "bus:\/topic"/],
    ['ros:/a', 'zenoh:b/{node}', /unknown placeholder \{node\}/],
    ['ros:/a/x*', 'zenoh:b', /write '\$\*'/],
  ])('refuses from %s to %s', (from, to, message) => {
    expect(faultsOf(`[[routes]]\nname = "a"\nfrom = "${from}"\nto = "${to}"`)).toEqual([
      expect.stringMatching(message),
    ]);
  });

  it('wants a name of its own for each', () => {
    const route = '[[routes]]\nname = "a"\nfrom = "ros:/a"\nto = "zenoh:b"\n';
    expect(faultsOf(route + route)).toEqual([
      'robot.toml:6: routes[2].name = "a": expected a name that no other route has',
    ]);
    expect(faultsOf('[[routes]]\nfrom = "ros:/a"\nto = "zenoh:b"')).toEqual([
      expect.stringMatching(/routes\[1\]\.name = "": expected a value/),
    ]);
  });
});

describe('patterns', () => {
  it.each([
    ['/camera/**', '/camera/front/image', ['front/image']],
    ['/camera/**', '/camera', ['']],
    ['/camera/**', '/cameras', undefined],
    ['**', '/a/b', ['a/b']],
    ['**/image', '/a/b/image', ['a/b']],
    ['**/image', '/image', ['']],
    ['a/**/z', '/a/z', ['']],
    ['a/**/z', '/a/b/c/z', ['b/c']],
    ['/*/scan', '/robot7/scan', ['robot7']],
    ['/*/scan', '/a/b/scan', undefined],
    ['/cam$*/image', '/cam_left/image', ['_left']],
    ['/a.b', '/axb', undefined],
  ])('%s on %s', (pattern, name, captures) => {
    expect(compilePattern(pattern).match(name)).toEqual(captures);
  });

  it('mean what Zenoh means by them', () => {
    const chunk = fc.constantFrom('a', 'b', 'ab', '*', '**', 'a$*');
    const name = fc.array(fc.constantFrom('a', 'b', 'ab', 'aab'), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(chunk, { minLength: 1, maxLength: 4 }), name, (chunks, parts) => {
        const pattern = chunks.join('/');
        if (patternFault(pattern) !== undefined || keyExprFault(pattern) !== undefined) return;
        const key = parts.join('/');
        expect(compilePattern(pattern).match(key) !== undefined).toBe(intersects(pattern, key));
      }),
      { numRuns: 2_000 },
    );
  });

  it('name the other side, and lead back', () => {
    const from = compilePattern('/camera/*/**');
    const to = 'fleet/{robot}/*/raw/**';
    expect(templateFault(to, from, ['topic', 'robot', 'prefix'])).toBeUndefined();
    const name = fillTemplate(to, from.match('/camera/front/depth/image')!, { robot: 'r1' });
    expect(name).toBe('fleet/r1/front/raw/depth/image');
    expect(fillTemplate('{prefix}/{topic}', [], { prefix: '', topic: 'a/b' })).toBe('a/b');
  });
});
