import { readFileSync } from 'node:fs';
import type { LeRobotServerOptions } from '../../adapters/lerobot/index.ts';
import { EdgeError } from '../../contract/core.ts';
import type { Config } from '../config.ts';
import { readSecret } from '../secrets.ts';

/** What `[serve]` says of LeRobot alone. Throws `config.invalid` naming the key. */
export function leRobotOptions(
  serve: Config['serve'],
): Pick<LeRobotServerOptions, 'tls' | 'trusted' | 'similarity'> {
  const tls = tlsOf(serve);
  return {
    trusted: serve.lerobot_trusted,
    similarity: serve.lerobot_drop_similar ? 1 : 0,
    ...(tls ? { tls } : {}),
  };
}

function tlsOf(serve: Config['serve']): LeRobotServerOptions['tls'] {
  const { lerobot_tls_cert: cert, lerobot_tls_key: key, lerobot_tls_client_ca: clientCa } = serve;
  if (cert === '' && key === '' && clientCa === '') return undefined;
  if (cert === '') throw wrong('lerobot_tls_cert', 'a certificate belongs to the other keys of TLS');
  const secret = readSecret(key, 'serve.lerobot_tls_key', process.env);
  if (secret === undefined) throw wrong('lerobot_tls_key', 'a key belongs to the certificate');
  return {
    cert: read('lerobot_tls_cert', cert),
    key: Buffer.from(secret),
    ...(clientCa === '' ? {} : { clientCa: read('lerobot_tls_client_ca', clientCa) }),
  };
}

function read(key: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw wrong(key, (cause as Error).message, cause);
  }
}

function wrong(key: string, message: string, cause?: unknown): EdgeError {
  return new EdgeError('config.invalid', {
    operation: 'serve LeRobot',
    subject: `serve.${key}`,
    message: `serve.${key}: ${message}`,
    cause,
  });
}
