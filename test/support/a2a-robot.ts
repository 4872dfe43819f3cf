import { type Part, Role } from '@a2a-js/sdk';
import {
  ClientFactory,
  ClientFactoryOptions,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from '@a2a-js/sdk/client';
import { Type } from 'typebox';
import { pushBody } from '../../adapters/a2a/push/push-body.ts';
import { PushDesk } from '../../adapters/a2a/push/push-desk.ts';
import { A2aEndpoint } from '../../adapters/a2a/server/index.ts';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import {
  type AskApi,
  EdgeError,
  type PushOrder,
  type RunDetails,
  type RuntimeApi,
} from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { TinyRuntime, TOKEN } from './http-rig.ts';

export const APPS = [
  {
    name: 'maze',
    intents: [
      {
        type: 'maze/find_exit',
        description: 'Find the exit',
        params: Type.Object({ patience: Type.Optional(Type.Integer()) }, { additionalProperties: false }),
      },
    ],
  },
];

/** This robot as an A2A agent over a runtime that notes what it is asked. */
export function a2aRobot(runtime: Partial<RuntimeApi> = {}, ask?: AskApi, push?: PushDesk) {
  const tiny = new TinyRuntime();
  const endpoint = new A2aEndpoint({
    ...{ robot: 'r1', version: '1', clock: new SystemClock(), apps: () => APPS, newId: () => 'id' },
    runtime: Object.assign(tiny, runtime),
    message: async () => {},
    ...(ask ? { ask } : {}),
    ...(push ? { push } : {}),
  });
  return { tiny, endpoint };
}

export const RECEIVER = 'https://agent.example';

/**
 * A desk of push notifications over this runtime, with a clock that stands, a file in memory, and receivers that answer
 * when `answer` says so: by default each takes what comes.
 */
export function pushRig(run: (id: string) => RunDetails | undefined, kept: { text?: string } = {}) {
  const clock = new ManualClock();
  const sent: PushOrder[] = [];
  const reports: unknown[] = [];
  const rig = {
    ...{ clock, sent, reports, kept },
    answer: async (_order: PushOrder): Promise<number> => 200,
    unwritable: false,
  };
  const desk = new PushDesk({
    ...{ clock, run, origins: [RECEIVER] },
    post: (order) => {
      sent.push(order);
      return rig.answer(order);
    },
    keep: {
      read: async () => kept.text,
      write(text) {
        if (rig.unwritable) throw new EdgeError('host.missing', { operation: 'secret', subject: 'file' });
        kept.text = text;
      },
    },
    bodies: async () => pushBody,
    report: (...said) => reports.push(said),
  });
  return Object.assign(rig, { desk });
}

/** The official client, with the token of the robot. */
export function a2aClient(url: string, legacy = false, rest = false, token: string | undefined = TOKEN) {
  const withToken: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${token}`);
    if (legacy) headers.delete('a2a-version');
    return fetch(input, { ...init, headers });
  };
  const options = { fetchImpl: withToken, legacyCompat: { enabled: true } };
  const factory = new ClientFactory(
    ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
      transports: [rest ? new RestTransportFactory(options) : new JsonRpcTransportFactory(options)],
      ...(rest ? { preferredTransports: ['HTTP+JSON'] } : {}),
    }),
  );
  return factory.createFromUrl(url);
}

/** A message with these parts. */
export const send = (parts: readonly Part['content'][], more: object = {}) => ({
  ...{ tenant: '', metadata: undefined, configuration: undefined },
  message: {
    ...{ messageId: 'm1', contextId: '', taskId: '', role: Role.ROLE_USER, metadata: undefined },
    ...{ parts: parts.map((content) => ({ content, metadata: undefined, filename: '', mediaType: '' })) },
    ...{ extensions: [], referenceTaskIds: [] },
    ...more,
  },
});
/** The part that names the only skill. */
export const skill = { $case: 'data' as const, value: { skill: 'maze/find_exit', params: { patience: 2 } } };
