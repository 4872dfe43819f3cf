import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { installFiles, requireReachable, unitText } from '../../cli/commands/service.ts';
import { readConfig } from '../../daemon/config.ts';

let target: string;
beforeEach(() => {
  target = mkdtempSync(join(tmpdir(), 'cli-service-'));
});
afterEach(() => rmSync(target, { recursive: true, force: true }));

describe('auraison service install', () => {
  it('writes a configuration by which commands find the data of the service', () => {
    const { files, notes } = installFiles(target);
    const config = files.find(({ path }) => path.endsWith('.toml'))!;
    expect(config.state).toBe('written');
    const { faults, config: read } = readConfig(readFileSync(config.path, 'utf8'), config.path, {});
    expect(faults).toEqual([]);
    const [, directory] = /^StateDirectory=(.*)$/m.exec(unitText())!;
    expect(read.daemon.data_dir).toBe(`/var/lib/${directory}`);
    expect(notes).toEqual([]);
  });

  it('keeps a configuration that is there, and says what it lacks for that', () => {
    const { files } = installFiles(target);
    const { path } = files.find((file) => file.path.endsWith('.toml'))!;
    writeFileSync(path, '[sim]\nseed = 99\n');
    expect(installFiles(target).notes).toEqual([
      expect.stringMatching(/data_dir = "\/var\/lib\/auraison-edge"/),
    ]);
    expect(readFileSync(path, 'utf8')).toBe('[sim]\nseed = 99\n');
    writeFileSync(path, '[daemon]\ndata_dir = "/data/robot"\n');
    expect(installFiles(target).notes).toEqual([]);
    writeFileSync(path, 'not TOML');
    expect(installFiles(target).notes).toEqual([]);
  });

  it.each([
    [join('/home', 'ada', 'auraison'), 'ProtectHome'],
    [join('/root', 'auraison'), 'ProtectHome'],
    [join('/tmp', 'auraison'), 'PrivateTmp'],
  ])('refuses a checkout in %s, which the unit does not see', (root, why) => {
    expect(() => requireReachable(root)).toThrow(
      expect.objectContaining({
        code: 'host.missing',
        message: expect.stringContaining(why),
        hint: expect.stringContaining('/opt/auraison-edge'),
      }),
    );
  });

  it.each(['/opt/auraison-edge', '/srv/home/x', '/homestead/x', '/rooted'])('takes one in %s', (root) =>
    expect(() => requireReachable(root)).not.toThrow(),
  );
});
