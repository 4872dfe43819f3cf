import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { LIMITS, toWireTime } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { ConsoleCodes } from '../console-codes.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const CodeBox = Type.Object(
  {
    code: Type.String({ description: 'open #/login/CODE of the console; counts once' }),
    expires_ts: Type.String({ description: 'nanoseconds since the epoch' }),
  },
  closed,
);
const LoginBody = Type.Object({ code: Type.String({ minLength: 1, maxLength: 128 }) }, closed);
const TokenBox = Type.Object(
  { token: Type.String({ description: 'that of the caller that got the code; empty where none is needed' }) },
  closed,
);

/** Logs a browser in by a link or a QR code, without a token that is typed. */
export function consoleLoginRoutes(app: FastifyInstance, { clock }: HttpPorts): void {
  const codes = new ConsoleCodes(clock, () => randomBytes(24).toString('base64url'));
  app.post(
    '/v1/console/codes',
    {
      schema: {
        operationId: 'createConsoleCode',
        summary: 'A code that logs one browser in with the token of the caller, once and within ten minutes',
        tags: ['console'],
        body: Type.Object({}, closed),
        response: { 200: CodeBox, ...errors },
      },
    },
    async (request) => {
      const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
      const expires_ts = toWireTime(clock.now() + BigInt(LIMITS.CONSOLE_CODE_MS) * 1_000_000n);
      return { code: codes.give(token), expires_ts };
    },
  );
  app.post(
    '/v1/console/login',
    {
      config: { open: true },
      schema: {
        operationId: 'loginConsole',
        summary: 'The token of a code; needs none itself',
        tags: ['console'],
        body: LoginBody,
        response: { 200: TokenBox, ...errors },
      },
    },
    async (request) => ({ token: codes.take((request.body as Static<typeof LoginBody>).code) }),
  );
}
