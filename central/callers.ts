import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { EdgeError } from '../contract/index.ts';
import type { Enrolment, Shown } from './enrolment.ts';
import type { Operators } from './operators.ts';
import { ANYBODY, type Caller } from './require-own.ts';
import type { Robots } from './robots.ts';

export type CallersParts = {
  /** Undefined: no token is required. */
  readonly operators: Operators | undefined;
  /** Tokens of robots. Undefined: none is required, or only certificates count. */
  readonly robots: Robots | undefined;
  /** Undefined: without TLS there are no certificates. */
  readonly enrolment: Enrolment | undefined;
  /** The robot has, or had, a certificate: a token of all robots does not speak for it. */
  readonly isBound: (robot: string) => boolean;
  /** No token speaks for a robot. */
  readonly onlyCertificates: boolean;
};

/** Who sent a request, by the certificate of its connection or its token. */
export class Callers {
  readonly #parts: CallersParts;

  constructor(parts: CallersParts) {
    this.#parts = parts;
  }

  /** Throws `api.unauthorised`. */
  robot(request: IncomingMessage): Caller {
    const { robots, enrolment, isBound, onlyCertificates } = this.#parts;
    const name = enrolment?.robot(shownBy(request));
    if (name !== undefined) return { name, mayActFor: (robot) => robot === name };
    if (onlyCertificates)
      throw unauthorised(
        'client certificate',
        'no client certificate came with the connection; this coordinator takes no tokens of robots',
        'auraison central enrol NAME, then auraison link enrol at the robot',
      );
    if (!robots) return ANYBODY;
    const found = robots.find(bearer(request) ?? '');
    if (!found) throw wrongToken();
    return {
      name: `${found.name}; an enrolled robot needs its certificate`,
      mayActFor: (robot) => found.mayActFor(robot) && !isBound(robot),
    };
  }

  /** The name of the operator; undefined where no token is required. Throws `api.unauthorised`. */
  operator(request: IncomingMessage): string | undefined {
    const { operators } = this.#parts;
    if (!operators) return undefined;
    const name = operators.find(bearer(request) ?? '');
    if (name === undefined) throw wrongToken();
    return name;
  }
}

/** The certificate that the client of this connection showed. */
export function shownBy({ socket }: IncomingMessage): Shown | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const raw = socket.getPeerX509Certificate()?.raw;
  if (!raw) return undefined;
  // An Error or its code, by what Node's types and its code say.
  const fault = socket.authorized
    ? ''
    : String((socket.authorizationError as Error & { code?: string })?.code ?? socket.authorizationError);
  return { raw, fault };
}

function bearer(request: IncomingMessage): string | undefined {
  return /^Bearer ([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
}

function wrongToken(): EdgeError {
  return unauthorised(
    'authorization header',
    'the token is not known here',
    'tokens are in the files "token" and robots/NAME (robots), "operator-token" and operators/NAME (orders) of the coordinator\'s data directory',
  );
}

function unauthorised(subject: string, message: string, hint: string): EdgeError {
  return new EdgeError('api.unauthorised', { operation: 'authorise', subject, message, hint });
}
