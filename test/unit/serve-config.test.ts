import { describe, expect, it } from 'vitest';
import { listenAddress } from '../../daemon/config/serve.ts';
import { describeFault, readConfig } from '../../daemon/config.ts';

const faults = (source: string) => readConfig(source, 'robot.toml', {}).faults.map(describeFault);

describe('[serve]', () => {
  it('serves nothing by default', () => {
    const { serve } = readConfig('', 'robot.toml', {}).config;
    expect(serve).toMatchObject({
      ...{ lerobot_listen: '', openpi_listen: '', groot_listen: '', token_file: '' },
      ...{ max_clients: 16, timeout: 5_000 },
    });
  });

  it.each(['127.0.0.1:8000', '[::1]:8000', 'localhost:8000', '127.0.0.9:0'])(
    'takes %s without a token',
    (address) => {
      expect(faults(`[serve]\nopenpi_listen = "${address}"\n`)).toEqual([]);
    },
  );

  it.each(['0.0.0.0:8000', '[::]:8000', '192.168.1.7:8000', 'robot.local:8000', '127.evil.example:8000'])(
    'refuses %s without a token, and takes it with one',
    (address) => {
      for (const key of ['lerobot_listen', 'openpi_listen', 'groot_listen']) {
        const table = `[serve]\n${key} = "${address}"\n`;
        expect(faults(table).join()).toMatch(new RegExp(`serve.${key}.*serve.token_file`));
        expect(faults(`${table}token_file = "credential:wires"\n`)).toEqual([]);
      }
    },
  );

  it.each([
    ['no port', 'openpi_listen = "127.0.0.1"', /host:port/],
    ['an address as a URL', 'openpi_listen = "ws://127.0.0.1:8000"', /host:port/],
    ['a port that does not exist', 'groot_listen = "127.0.0.1:70000"', /port/],
    ['no clients', 'max_clients = 0', /max_clients/],
    ['an unknown key', 'openpi_port = 8000', /openpi_port/],
  ])('refuses %s', (_, line, words) => {
    expect(faults(`[serve]\n${line}\n`).join()).toMatch(words);
  });

  it('knows host and port of an address', () => {
    expect(listenAddress('[::1]:8000')).toEqual({ host: '::1', port: 8000 });
    expect(listenAddress('0.0.0.0:5555')).toEqual({ host: '0.0.0.0', port: 5555 });
  });
});
