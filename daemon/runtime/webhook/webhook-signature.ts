import { createHmac, timingSafeEqual } from 'node:crypto';
import { EdgeError, LIMITS } from '../../../contract/index.ts';

/** Signatures in one header: a sender that changes its secret signs with both. */
const SIGNATURES_MAX = 8;
const ID = /^[A-Za-z0-9._:-]{1,128}$/;
const SECONDS = /^[0-9]{1,12}$/;
const SECRET_PREFIX = 'whsec_';

export type Signed = {
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
  readonly body: Uint8Array;
};

/**
 * The id of a message that is signed as Standard Webhooks says: `webhook-signature` holds `v1,` and the base64 of the
 * HMAC-SHA256 over `id.timestamp.body`. Throws `api.unauthorised`. `keys`: those that count; none: nothing does.
 */
export function signedId(
  { id, timestamp, signature, body }: Signed,
  keys: readonly Buffer[],
  nowMs: number,
): string {
  const isWhole = ID.test(id ?? '') && SECONDS.test(timestamp ?? '') && signature !== undefined;
  const given = isWhole ? signature.split(' ').slice(0, SIGNATURES_MAX) : [];
  const shown = given.flatMap((one) => (one.startsWith('v1,') ? [Buffer.from(one.slice(3), 'base64')] : []));
  // Without a key one is made up, so that a wrong name takes the same time.
  const right = (keys.length > 0 ? keys : [Buffer.alloc(32)]).map((key) =>
    createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest(),
  );
  const fits = right.map((one) =>
    shown.map((other) => other.length === one.length && timingSafeEqual(one, other)),
  );
  if (!isWhole || keys.length === 0 || !fits.flat().includes(true))
    throw unauthorised('the webhook is not known here, or its signature is not right');
  // After the signature: only the sender learns that its clock is wrong.
  const offMs = Math.abs(nowMs - Number(timestamp) * 1_000);
  if (offMs > LIMITS.WEBHOOK_WINDOW_MS)
    throw unauthorised(
      `the message was signed ${Math.round(offMs / 1_000)} s from now, at most ${LIMITS.WEBHOOK_WINDOW_MS / 1_000} s are allowed`,
      'sign it again when it is sent; set the clock of the sender and of this robot',
    );
  return id!;
}

/** The bytes of a secret: base64 behind `whsec_`, otherwise the text itself. */
export function webhookKey(secret: string): Buffer {
  return secret.startsWith(SECRET_PREFIX)
    ? Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
    : Buffer.from(secret);
}

function unauthorised(
  message: string,
  hint = 'send webhook-id, webhook-timestamp and webhook-signature as standardwebhooks.com says',
): EdgeError {
  return new EdgeError('api.unauthorised', {
    operation: 'receive webhook',
    subject: 'signature',
    message,
    hint,
  });
}
