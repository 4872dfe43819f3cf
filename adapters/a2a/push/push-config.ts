import { A2A_PUSH, EdgeError, type PushConfig } from '../../../contract/core.ts';

/** What a client asks for; texts may be empty. */
export type AskedPush = {
  readonly id: string;
  readonly url: string;
  readonly token: string;
  readonly authentication: { readonly scheme: string; readonly credentials: string } | undefined;
};

const ID = /^[A-Za-z0-9._:-]+$/;
/** What may stand in a header. */
const VISIBLE = /^[\x21-\x7e]*$/;
const CREDENTIALS = /^[\x21-\x7e]+( [\x21-\x7e]+)*$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9-]{0,31}$/;

/**
 * What a client asked for as a config of this task; without an id it has the one of the task, so that another one
 * without an id takes its place. Throws `schema.invalid`, and `policy.denied` for a receiver that is not in
 * `origins`. Pure.
 */
export function pushConfigOf(
  { id, url, token, authentication }: AskedPush,
  task: Pick<PushConfig, 'taskId' | 'version' | 'owner'>,
  origins: readonly string[],
): PushConfig {
  const name = id === '' ? task.taskId : id;
  const { scheme = '', credentials = '' } = authentication ?? {};
  if (name.length > A2A_PUSH.ID_CHARS || (id !== '' && !ID.test(id)))
    throw wrong('id', `1 to ${A2A_PUSH.ID_CHARS} letters, digits, ".", "_", ":", "-" expected`);
  if (token.length > A2A_PUSH.TOKEN_CHARS || !VISIBLE.test(token))
    throw wrong('token', `at most ${A2A_PUSH.TOKEN_CHARS} visible ASCII characters expected`);
  if (scheme !== '' || credentials !== '') {
    if (!SCHEME.test(scheme)) throw wrong('authentication.scheme', 'one, for example "Bearer", expected');
    if (credentials.length > A2A_PUSH.CREDENTIALS_CHARS || !CREDENTIALS.test(credentials))
      throw wrong(
        'authentication.credentials',
        `1 to ${A2A_PUSH.CREDENTIALS_CHARS} visible ASCII characters expected`,
      );
  }
  checkReceiver(url, origins);
  return { ...task, id: name, url, token, scheme, credentials };
}

/** Throws where states of tasks may not be posted to this address. Pure. */
export function checkReceiver(url: string, origins: readonly string[]): void {
  if (url.length > A2A_PUSH.URL_CHARS || !URL.canParse(url))
    throw wrong('url', `an https address of at most ${A2A_PUSH.URL_CHARS} characters expected`);
  const { protocol, username, password, hash, origin } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') throw wrong('url', 'an http or https address expected');
  if (username !== '' || password !== '' || hash !== '')
    throw wrong('url', 'an address without user, password and fragment expected: use authentication');
  if (origins.some((one) => new URL(one).origin === origin)) return;
  throw new EdgeError('policy.denied', {
    operation: 'set push notifications',
    subject: origin,
    message: `nothing is sent to ${origin}`,
    hint: 'the operator of this robot names it in a2a.push_to',
  });
}

/** The headers of a delivery. Pure. */
export function pushHeaders({ token, scheme, credentials }: PushConfig): Record<string, string> {
  return {
    ...(token === '' ? {} : { 'x-a2a-notification-token': token }),
    ...(scheme === '' ? {} : { authorization: `${scheme} ${credentials}` }),
  };
}

function wrong(key: string, words: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'set push notifications',
    subject: key,
    message: `pushNotificationConfig.${key}: ${words}`,
  });
}
