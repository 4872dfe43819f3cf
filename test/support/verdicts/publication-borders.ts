import { ChannelBook } from '../../../adapters/foxglove/channel-book.ts';
import { ServiceBook } from '../../../adapters/foxglove/service-book.ts';
import { FoxgloveSession } from '../../../adapters/foxglove/session.ts';
import { MessageTexts } from '../../../adapters/rosbridge/message-json.ts';
import { RosbridgeSession } from '../../../adapters/rosbridge/session.ts';
import { EdgeError, METHODS, type Sample } from '../../../contract/index.ts';
import { ClientTopics } from '../../../daemon/execution/attached/client-topics.ts';
import { SampleFeed } from '../../../daemon/execution/attached/sample-feed.ts';
import { Ledger, SampleBus } from '../../../daemon/execution/bus/index.ts';
import { type Door, RobotSink } from '../../../daemon/execution/door/index.ts';
import { TWIST, TWIST_STAMPED } from '../../../formats/cdr/index.ts';
import { decodeAny, encodeAny, schemaFor } from '../../../formats/ros2/index.ts';
import { checkRosValue } from '../../../formats/ros2/value-check.ts';
import { ApiCaller } from '../../../io/attached/api-caller.ts';
import { AttachedRobot } from '../../../io/attached/attached-robot.ts';
import { type Door as ClientDoor, RobotDoor } from '../../../io/attached/robot-door.ts';
import { SendQueue } from '../../../io/attached/send-queue.ts';
import { data } from '../foxglove-session.ts';
import { startRig, TOKEN } from '../http-rig.ts';
import { MemoryFabric, MemoryKeySpace, NotingSink, RouteRig, turns } from '../route-rig.ts';
import { disk, endRigs, Rig } from '../safety-rig.ts';

const { execution } = METHODS;
const COMMAND = { topic: '/cmd_vel', type: TWIST };
const VELOCITIES = new Set([TWIST, TWIST_STAMPED]);

/** What a client wants to publish. */
export type Publication = { readonly topic: string; readonly type: string; readonly value: unknown };
export type Verdict = 'passed' | 'refused';
/** Undefined: this border cannot express the call. */
export type Border = {
  readonly name: string;
  /** Whose word it must have. */
  readonly by: 'hand' | 'route';
  send(call: Publication): Promise<Verdict | undefined>;
};

export type PublicationBorders = {
  readonly borders: readonly Border[];
  /** What the desk of the hand, or the door, says when it is asked itself in the name of a hand or of a route. */
  law(call: Publication, by: Border['by']): Promise<Verdict>;
  close(): Promise<void>;
};

const ok = async (work: Promise<unknown>): Promise<Verdict> =>
  work.then(
    () => 'passed' as const,
    (thrown: unknown) => {
      // A client may send anything, which these throw; a defect of the daemon has another class.
      if (thrown instanceof EdgeError || thrown instanceof SyntaxError) return 'refused' as const;
      throw thrown;
    },
  );

/** The bytes of a value; undefined where it is not one of this type. */
function bytesOf({ type, value }: Publication): Uint8Array | undefined {
  // A message is an object.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  try {
    checkRosValue(value as never, '/msg');
    return encodeAny(type, value as never);
  } catch {
    return undefined;
  }
}

/**
 * Every border at which a client publishes, over one robot: teleoperation by HTTP, Foxglove (JSON and CDR), rosbridge, and
 * keys of Zenoh through a route. The lease is with the client; the clock of the cell stands still.
 */
export async function openPublicationBorders(): Promise<PublicationBorders> {
  const cell = new Rig(disk(), { harmless: ['/ui/**'] });
  const http = await startRig();
  const { teleopCommand, leaseTake, leaseRenew, leaseState } = execution;
  for (const method of [teleopCommand, leaseTake, leaseRenew, leaseState])
    http.answers.set(method, (body) => cell.ask(method, body));
  const api = new ApiCaller({ url: () => http.url, token: TOKEN, fetch });
  const taken = await api.post<{ lease_id: number }>('/v1/lease', { role: 'teleoperation' });
  const lease = taken.lease_id;

  const sink = new NotingSink();
  const path = cell.desk.door.path(new RobotSink(sink), { kind: 'route', name: 'attached' });
  const topics = new ClientTopics({ clock: cell.clock, path });
  const feed: SampleFeed = new SampleFeed({
    ...{ bus: new SampleBus({ clock: cell.clock, ledger: new Ledger() }), clock: cell.clock },
    ...{ watchGraph: () => {}, publish: (sample) => topics.publish(sample), now: () => cell.clock.now() },
    post: (message) => robot.receive(structuredClone(message)),
    schemaOf: (type) => schemaFor(type)?.data,
  });
  const robot: AttachedRobot = new AttachedRobot((message) => feed.receive(structuredClone(message)));
  feed.start();

  /** The door of one client, and what became of its last publication. */
  const doorOf = () => {
    const door = new RobotDoor({ api, robot, clock: cell.clock, command: COMMAND });
    const seen: { last: Promise<Verdict> | undefined } = { last: undefined };
    const noted = new Proxy(door as ClientDoor, {
      get: (target, name) => {
        const value = target[name as keyof ClientDoor] as (...of: unknown[]) => Promise<unknown>;
        if (name !== 'publish' && name !== 'publishValue') return value.bind(target);
        return (...of: unknown[]) => {
          const work = value.apply(target, of);
          seen.last = ok(work);
          return work;
        };
      },
    });
    const verdict = async (): Promise<Verdict> => {
      await turns(3);
      // What the session refuses itself never reaches its door.
      return (await seen.last) ?? 'refused';
    };
    return { noted, seen, verdict };
  };
  const queue = new SendQueue({
    ...{ bytesMax: 1_000_000, send: (_frame, done) => done(), dropped: () => {}, overrun: () => {} },
  });
  const common = { clock: cell.clock, robot, queue, hasRos: false };
  const hangUp = () => {
    throw new Error('the client was disconnected');
  };

  const foxglove = (encoding: 'json' | 'cdr'): Border => {
    const { noted, seen, verdict } = doorOf();
    let session: FoxgloveSession | undefined;
    let id = 0;
    const open = () =>
      new FoxgloveSession({
        ...{ ...common, door: noted, channels: new ChannelBook(), services: new ServiceBook(), hangUp },
        ...{ name: 'r1', sessionId: 's1', isSimulated: true, assets: { fetch: async () => ({ error: '' }) } },
      });
    return {
      ...{ name: `Foxglove (${encoding})`, by: 'hand' },
      send: async (call) => {
        const { topic, type, value } = call;
        const payload = encoding === 'json' ? JSON.stringify(value) : bytesOf(call);
        if (payload === undefined) return undefined;
        if (!session) {
          session = open();
          session.start();
        }
        seen.last = undefined;
        const channel = { id: ++id, topic, encoding, schemaName: type };
        session.receiveText(JSON.stringify({ op: 'advertise', channels: [channel] }));
        session.receiveBinary(data(id, payload));
        const found = await verdict();
        session.receiveText(JSON.stringify({ op: 'unadvertise', channelIds: [id] }));
        return found;
      },
    };
  };

  const rosbridge = (): Border => {
    const { noted, seen, verdict } = doorOf();
    return {
      ...{ name: 'rosbridge', by: 'hand' },
      send: async ({ topic, type, value }) => {
        // A session is ended by many messages of wrong form: each call has its own.
        const session = new RosbridgeSession({
          ...{ ...common, door: noted, texts: new MessageTexts(), hangUp },
        });
        seen.last = undefined;
        session.receive(JSON.stringify({ op: 'publish', topic, type, msg: value }));
        return await verdict();
      },
    };
  };

  const teleoperation: Border = {
    ...{ name: 'HTTP teleoperation', by: 'hand' },
    send: async ({ topic, type, value }) => {
      if (topic !== COMMAND.topic || !VELOCITIES.has(type)) return undefined;
      const twist = flat(type, value);
      if (!twist || twist.isElsewhere) return undefined;
      const { linear, angular } = twist;
      return await ok(api.post('/v1/teleop', { lease_id: lease, twist: { linear, angular } }));
    },
  };

  const fabric = new MemoryFabric();
  const routed = new RouteRig(
    '[[routes]]\nname = "in"\nfrom = "zenoh:r1/**"\nto = "ros:/**"',
    {},
    undefined,
    {
      harmless: ['/ui/**'],
    },
  );
  await routed.start(new MemoryKeySpace(routed.clock, fabric));
  const far = new MemoryKeySpace(routed.clock, fabric);
  const zenoh: Border = {
    ...{ name: 'key of Zenoh', by: 'route' },
    send: async (call) => {
      const bytes = bytesOf(call);
      if (!bytes) return undefined;
      const before = routed.sink.samples.length;
      const dropped = () => {
        const counts = { denied: 0, others: 0 };
        for (const line of routed.routes.lines())
          for (const [reason, count] of Object.entries(line.dropped))
            counts[reason === 'denied' ? 'denied' : 'others'] += count;
        return counts;
      };
      const was = dropped();
      await far.put(`r1${call.topic}`, bytes, { encoding: `application/cdr;${call.type}` });
      // A sample waits until the sink has its topic: time passes until it is forwarded or counted as dropped.
      for (let looks = 0; looks < 200; looks++) {
        await turns(2);
        const { denied, others } = dropped();
        if (routed.sink.samples.length > before || denied + others > was.denied + was.others) break;
        await routed.clock.advance(20);
      }
      if (routed.sink.samples.length > before) return 'passed';
      // A route drops what it has carried already: that says nothing of the door.
      return dropped().denied > was.denied ? 'refused' : undefined;
    },
  };

  const other = new RobotSink(new NotingSink());
  const sampleOf = ({ topic, type }: Publication, bytes: Uint8Array): Sample => ({
    ...{ topic, type, stamp: 1n, received: 1n, bytes },
  });
  const judge = (door: Door, call: Publication, bytes: Uint8Array): Verdict =>
    door.path(other, { kind: 'route', name: 'law' }).send(sampleOf(call, bytes)).verdict === 'refused'
      ? 'refused'
      : 'passed';
  return {
    borders: [teleoperation, foxglove('json'), foxglove('cdr'), rosbridge(), zenoh],
    async law(call, by) {
      const bytes = bytesOf(call);
      if (!bytes) return 'refused';
      if (by === 'route') return judge(routed.door, call, bytes);
      if (call.topic !== COMMAND.topic) return judge(cell.desk.door, call, bytes);
      const twist = VELOCITIES.has(call.type) ? flat(call.type, decodeAny(call.type, bytes)) : undefined;
      // Another axis, or another type, is not what the base takes.
      if (!twist || twist.isElsewhere) return 'refused';
      const { linear, angular } = twist;
      const asked = { leaseId: lease, by: 'operator', twist: { linear, angular } };
      return await ok(cell.ask(execution.teleopCommand, asked));
    },
    async close() {
      feed.close();
      await Promise.all([far.close(), http.stop()]);
      endRigs();
    },
  };
}

/** A velocity as a base has it; undefined where the value is not of the type. `isElsewhere`: another axis moves too. */
function flat(type: string, value: unknown) {
  const of = type === TWIST_STAMPED ? (value as { twist?: unknown } | null)?.twist : value;
  if (typeof of !== 'object' || of === null || Array.isArray(of)) return undefined;
  if (Object.keys(of).some((name) => name !== 'linear' && name !== 'angular')) return undefined;
  const { linear = {}, angular = {} } = of as Record<string, Record<string, unknown>>;
  if (typeof linear !== 'object' || typeof angular !== 'object' || !linear || !angular) return undefined;
  const rest = [linear['y'], linear['z'], angular['x'], angular['y']];
  return {
    ...{ linear: zeroOf(linear['x']), angular: zeroOf(angular['z']) },
    isElsewhere: rest.some((speed) => speed !== undefined && speed !== 0),
  };
}

/** A field that is left out is zero; one that is null is none. */
const zeroOf = (value: unknown) => (value === undefined ? 0 : value);
