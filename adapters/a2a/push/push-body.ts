import type { StreamResponse } from '@a2a-js/sdk';
import { V03PushNotificationSerializer } from '@a2a-js/sdk/compat/v0_3/server';
import { V1PushNotificationSerializer } from '@a2a-js/sdk/server';
import { taskOf } from '../server/run-task.ts';
import type { BodyOf } from './push-desk.ts';

const MODERN = new V1PushNotificationSerializer();
const LEGACY = new V03PushNotificationSerializer();

/** The whole task as both versions of the protocol write it: version 1.0 in the form of an event of a stream. Pure. */
export const pushBody: BodyOf = (details, version) => {
  const event: StreamResponse = { payload: { $case: 'task', value: taskOf(details) } };
  const { body, contentType } = version === '0.3' ? LEGACY.serialize(event) : MODERN.serialize(event);
  return { type: contentType, text: body };
};
