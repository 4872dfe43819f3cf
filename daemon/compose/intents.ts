import { readFileSync } from 'node:fs';
import {
  type CellContext,
  EdgeError,
  type PolicyContext,
  ROS_PRINCIPAL,
  type RosApi,
  ZENOH_PRINCIPAL,
} from '../../contract/core.ts';
import { IntentDoor } from '../execution/intents/intent-door.ts';
import { RosIntents } from '../execution/intents/ros-intents.ts';
import { RunFollower } from '../execution/intents/run-follower.ts';
import { ZenohIntents } from '../execution/intents/zenoh-intents.ts';
import type { KeySpaceUser } from '../execution/key-space-keeper.ts';
import type { Settings } from '../settings.ts';
import { named } from './robot-io.ts';

const SCHEMA = new URL('../../contract/schema/v1/intent-request.json', import.meta.url);

const OFFER_AGAIN_MS = 2_000;

/** What the execution cell takes in for the runtime, from ROS nodes and from the key space. */
export type Intents = {
  readonly keySpaceUsers: readonly KeySpaceUser[];
  start(): void;
  close(): Promise<void>;
};

export function makeIntents(
  { config }: Settings,
  context: CellContext,
  ros: Pick<RosApi, 'actions' | 'graph'> | undefined,
): Intents {
  const { clock, bus, report } = context;
  const { intents, zenoh, daemon } = config;
  const overRos = ros !== undefined && intents.ros_action !== '';
  const overZenoh = zenoh.enabled && intents.zenoh;
  if (!overRos && !overZenoh) return { keySpaceUsers: [], start() {}, async close() {} };
  const door = new IntentDoor({ bus, clock, report });
  const follower = new RunFollower(door, clock, bus);
  const who = (origin: 'ros' | 'zenoh', roles: readonly string[]): PolicyContext => ({
    tenant: intents.tenant,
    principal: origin === 'ros' ? ROS_PRINCIPAL : ZENOH_PRINCIPAL,
    roles: [...roles],
    origin,
  });
  const base = zenoh.prefix === '' ? daemon.name : zenoh.prefix;
  const keySpaceUsers = overZenoh
    ? [
        new ZenohIntents({
          door,
          follower,
          clock,
          base,
          context: who('zenoh', intents.zenoh_roles),
          schema: readFileSync(SCHEMA, 'utf8'),
        }),
      ]
    : [];
  const { ros_action: name } = intents;
  const rosIntents = overRos
    ? new RosIntents({
        api: ros,
        door,
        follower,
        clock,
        action: name.startsWith('/') ? name : named(config.ros.namespace, `/${name}`),
        context: who('ros', intents.ros_roles),
        clientGone: intents.ros_client_gone,
        emit: context.emit,
        report,
      })
    : undefined;
  let closed = false;
  let told = '';
  /** A session that is not open yet opens; a missing package stays missing. */
  const offer = (own: RosIntents): void => {
    own.start().catch((thrown: unknown) => {
      const { code, message } = EdgeError.from(thrown, 'ros.failed', 'offer the action', name);
      if (closed) return;
      if (message !== told) notOffered(context, name, thrown);
      told = message;
      if (code !== 'sample.unknown_type') clock.after(OFFER_AGAIN_MS, () => closed || offer(own));
    });
  };
  return {
    keySpaceUsers,
    start() {
      door.start();
      // Who sees the action may send: at a start it is there once somebody takes its goals.
      if (rosIntents) void door.opened.then(() => closed || offer(rosIntents));
    },
    async close() {
      closed = true;
      door.close();
      follower.close();
      await rosIntents?.close();
    },
  };
}

/** The rest of the cell works on. The error says what to install. */
function notOffered(context: CellContext, action: string, thrown: unknown): void {
  const error = EdgeError.from(thrown, 'ros.failed', 'offer the action', action);
  const missing = error.code === 'sample.unknown_type' || /auraison_interfaces/.test(error.message);
  const hint = missing
    ? 'build launch/auraison_interfaces in a colcon workspace and source it, or set intents.ros_action = ""'
    : error.hint;
  context.report('warn', `the ROS action ${action} is not offered: ${error.message}`, {
    code: error.code,
    hint,
  });
  const told = new EdgeError(error.code, {
    operation: 'offer the action',
    subject: action,
    message: error.message,
    hint,
  });
  context
    .emit([{ kind: 'cell.degraded', payload: { error: told.toBody() } }])
    .catch((failed: unknown) =>
      context.report('warn', 'an event was not written', { error: String(failed) }),
    );
}
