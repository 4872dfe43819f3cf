import { randomUUID } from 'node:crypto';
import {
  type CellContext,
  EdgeError,
  type PolicyContext,
  ROS_PRINCIPAL,
  type RosApi,
  ZENOH_PRINCIPAL,
} from '../../contract/core.ts';
import type { KeySpaceUser } from '../execution/key-space-keeper.ts';
import { serveRosInference } from '../execution/serving/ros-inference.ts';
import { System2Door } from '../execution/serving/system2-door.ts';
import { System2Queryables } from '../execution/serving/system2-queryables.ts';
import { VlaQueryable } from '../execution/serving/vla-queryable.ts';
import type { Settings } from '../settings.ts';
import type { Policies } from './policies.ts';
import { named } from './robot-io.ts';

const OFFER_AGAIN_MS = 2_000;

/** Ways to inference beside the API: the key space and ROS. */
export type Inference = {
  readonly keySpaceUsers: readonly KeySpaceUser[];
  start(): void;
  close(): Promise<void>;
};

export function makeInference(
  { config }: Settings,
  context: Pick<CellContext, 'clock' | 'bus' | 'report'>,
  { desk, door }: Pick<Policies, 'desk' | 'door'>,
  ros: Pick<RosApi, 'services'> | undefined,
): Inference {
  const { clock, bus } = context;
  const { inference, intents, ros: keys, zenoh } = config;
  const { prefix } = zenoh;
  const doorFor = (origin: 'zenoh' | 'ros') => {
    const who: PolicyContext = {
      tenant: intents.tenant,
      principal: origin === 'ros' ? ROS_PRINCIPAL : ZENOH_PRINCIPAL,
      roles: [...inference.roles],
      origin,
    };
    return new System2Door({ bus, clock, id: randomUUID, context: who });
  };
  const keySpaceUsers: KeySpaceUser[] = [new VlaQueryable({ prefix, clock, door, desk })];
  if (inference.zenoh) keySpaceUsers.push(new System2Queryables({ prefix, clock, door: doorFor('zenoh') }));
  const { ros: name } = inference;
  if (!ros || name === '') return { keySpaceUsers, start() {}, async close() {} };
  const base = name.startsWith('/') ? name : named(keys.namespace, `/${name}`);
  const parts = { services: ros.services, base, clock, policies: door, system2: doorFor('ros') };
  const offered = offerAgain(context, base, () => serveRosInference(parts));
  return { keySpaceUsers, ...offered };
}

/**
 * Offers services until they are: a session that is not open yet opens, while a missing package stays
 * missing. What cannot be offered is reported once, and the rest of the cell works on.
 */
function offerAgain(
  { clock, report }: Pick<CellContext, 'clock' | 'report'>,
  what: string,
  serve: () => Promise<{ close(): Promise<void> }>,
): { start(): void; close(): Promise<void> } {
  let closed = false;
  let told = '';
  let served: { close(): Promise<void> } | undefined;
  const offer = async (): Promise<void> => {
    try {
      served = await serve();
      if (closed) await served.close();
      else if (told !== '') report('info', `the ROS services ${what} are offered now`, {});
    } catch (thrown) {
      const { code, message, hint } = EdgeError.from(thrown, 'ros.failed', 'offer services', what);
      if (closed) return;
      const missing = code === 'sample.unknown_type' || /auraison_interfaces/.test(message);
      if (message !== told)
        report('warn', `the ROS services ${what} are not offered: ${message}`, {
          code,
          hint: missing
            ? 'build launch/auraison_interfaces in a colcon workspace and source it, or set inference.ros = ""'
            : hint,
        });
      told = message;
      if (!missing) clock.after(OFFER_AGAIN_MS, () => void (closed || offer()));
    }
  };
  return {
    start: () => void offer(),
    async close() {
      closed = true;
      await served?.close();
    },
  };
}
