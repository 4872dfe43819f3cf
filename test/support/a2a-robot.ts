import { type Part, Role } from '@a2a-js/sdk';
import {
  ClientFactory,
  ClientFactoryOptions,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from '@a2a-js/sdk/client';
import { Type } from 'typebox';
import { A2aEndpoint } from '../../adapters/a2a/server/index.ts';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { AskApi, RuntimeApi } from '../../contract/index.ts';
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
export function a2aRobot(runtime: Partial<RuntimeApi> = {}, ask?: AskApi) {
  const tiny = new TinyRuntime();
  const endpoint = new A2aEndpoint({
    ...{ robot: 'r1', version: '1', clock: new SystemClock(), apps: () => APPS, newId: () => 'id' },
    runtime: Object.assign(tiny, runtime),
    message: async () => {},
    ...(ask ? { ask } : {}),
  });
  return { tiny, endpoint };
}

/** The official client, with the token of the robot. */
export function a2aClient(url: string, legacy = false, rest = false) {
  const withToken: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${TOKEN}`);
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
