// Says within seconds whether npm can reach its registry. Plain JavaScript: it runs under any Node >= 20.
import { spawn } from 'node:child_process';

/** npm itself tries for minutes before it fails. */
const ANSWER_MS_MAX = 8_000;
const NETWORK_CODE =
  /\b(E(?:NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|HOSTUNREACH|NETUNREACH|TIMEDOUT|PIPE)|ERR_SOCKET_TIMEOUT|FETCH_ERROR|EIDLETIMEOUT|CERT_\w+|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+)\b/;

/**
 * Resolves to undefined where the registry answers, whatever it answers; else to its address and what npm said. npm
 * is asked, since it knows proxies and certificates.
 */
export async function registryFault(env = process.env) {
  const flags = [
    '--fetch-retries=0',
    `--fetch-timeout=${ANSWER_MS_MAX}`,
    '--loglevel=notice',
    '--no-update-notifier',
  ];
  const { code, output } = await npmOutput(['ping', ...flags], env, ANSWER_MS_MAX + 4_000);
  if (code === 0) return undefined;
  const reason = code === null ? `no answer in ${ANSWER_MS_MAX / 1000} s` : NETWORK_CODE.exec(output)?.[1];
  if (reason === undefined) return undefined;
  const registry = /\bPING (\S+)/.exec(output)?.[1] ?? '';
  return { registry: withoutPassword(registry) || 'the npm registry', reason };
}

function withoutPassword(address) {
  return address.replace(/\/\/[^/@]*@/, '//');
}

function npmOutput(args, env, limitMs) {
  return new Promise((resolve) => {
    const child = spawn('npm', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    const late = setTimeout(() => child.kill('SIGKILL'), limitMs);
    const end = (code) => {
      clearTimeout(late);
      resolve({ code, output });
    };
    // Without npm the installation itself says so.
    child.on('error', () => end(0));
    child.on('close', end);
  });
}
