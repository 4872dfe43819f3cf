import { beforeEach, describe, expect, it } from 'vitest';
import { LiveLink, type Socket } from '../../console/src/see/link/live-link.ts';
import type { LiveSample } from '../../console/src/see/link/sample.ts';
import { encodeAny, schemaFor } from '../../formats/ros2/index.ts';

/** The live link of a page without a page: what it asks of the robot, and what it does when the robot is gone. */
const POINT = 'geometry_msgs/msg/PointStamped';
const channel = (id: number, topic: string) => ({
  ...{ id, topic, encoding: 'cdr', schemaName: POINT, schema: schemaFor(POINT)!.data },
});

class FakeSocket {
  binaryType = '';
  protocol = 'foxglove.sdk.v1';
  onerror: ((event: unknown) => void) | null = null;
  onopen: ((event: unknown) => void) | null = null;
  onclose: ((event: unknown) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];
  closed = false;

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }
  close(): void {
    this.closed = true;
  }

  says(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  offers(...channels: object[]): void {
    this.says({ op: 'serverInfo', name: 'r1', capabilities: [] });
    this.says({ op: 'advertise', channels });
  }
  /** A message with x = `x` on a subscription. */
  sends(subscription: number, x: number, timeNs = 5_000_000_000n): void {
    const body = encodeAny(POINT, { point: { x } });
    const frame = new DataView(new ArrayBuffer(13 + body.length));
    frame.setUint8(0, 1);
    frame.setUint32(1, subscription, true);
    frame.setBigUint64(5, timeNs, true);
    new Uint8Array(frame.buffer).set(body, 13);
    this.onmessage?.({ data: frame.buffer });
  }
  subscriptions(): unknown[] {
    return this.sent.flatMap(({ op, subscriptions, subscriptionIds }) =>
      op === 'subscribe' ? (subscriptions as unknown[]) : op === 'unsubscribe' ? [subscriptionIds] : [],
    );
  }
}

let sockets: FakeSocket[] = [];
let timers: { ms: number; call: () => void; cancelled: boolean }[] = [];
let link: LiveLink;
let why = '';
const last = () => sockets.at(-1)!;
/** Runs the timers that wait. */
const later = () => {
  for (const { call, cancelled } of timers.splice(0)) if (!cancelled) call();
};

beforeEach(() => {
  sockets = [];
  timers = [];
  link = new LiveLink({
    connect: () => {
      sockets.push(new FakeSocket());
      return last() as unknown as Socket;
    },
    whyRefused: async () => why,
    nowMs: () => 1_000,
    after: (ms, call) => {
      const timer = { ms, call, cancelled: false };
      timers.push(timer);
      return () => {
        timer.cancelled = true;
      };
    },
  });
});

describe('the live link', () => {
  it('subscribes to what somebody follows, once for all of them, and decodes only where fields are wanted', () => {
    const got: LiveSample[] = [];
    link.hold();
    const ends = [link.follow('/a', (one) => got.push(one)), link.follow('/a', (one) => got.push(one))];
    last().offers(channel(7, '/a'), channel(8, '/b'));
    expect(link.view).toMatchObject({ state: 'live', reason: '' });
    expect(last().subscriptions()).toEqual([{ id: 0, channelId: 7 }]);
    last().sends(0, 2.5);
    expect(got).toHaveLength(2);
    expect(got[0]).toBe(got[1]);
    expect(got[0]).toMatchObject({ timeS: 5, atMs: 1_000, value: { point: { x: 2.5 } }, fault: undefined });
    // Who comes later hears the newest too: the robot sends a latched sample once.
    const late: LiveSample[] = [];
    link.follow('/a', (one) => late.push(one))();
    expect(late).toEqual([got[0]]);
    ends[0]!();
    expect(last().subscriptions()).toHaveLength(1);
    ends[1]!();
    expect(last().subscriptions().at(-1)).toEqual([0]);
    // Messages that were on their way find nobody.
    last().sends(0, 3);
    expect(got).toHaveLength(2);
  });

  it('comes back after it was lost, each time later, with all that is followed', () => {
    const got: LiveSample[] = [];
    link.hold();
    link.follow('/a', (one) => got.push(one));
    last().offers(channel(7, '/a'));
    last().onclose?.({});
    expect(link.view.state).toBe('lost');
    expect(link.view.reason).toContain('does not answer');
    // What was known stays to be seen.
    expect(link.view.channels.has('/a')).toBe(true);
    const waits = [];
    for (let i = 0; i < 6; i++) {
      waits.push(timers.at(-1)!.ms);
      later();
      last().onclose?.({});
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    later();
    last().offers(channel(3, '/a'));
    expect(last().subscriptions()).toEqual([{ id: 0, channelId: 3 }]);
    last().sends(0, 1);
    expect(got).toHaveLength(1);
  });

  it('says why a handshake was refused', async () => {
    link.hold();
    why = 'vera is a guest here';
    last().onclose?.({});
    await expect.poll(() => link.view.reason).toContain('vera is a guest here');
    later();
    why = '';
    last().onclose?.({});
    expect(link.view.reason).toContain('vera');
    await expect.poll(() => link.view.reason).toContain('does not answer');
  });

  it('follows a topic that is offered later, goes away and comes again', () => {
    link.hold();
    link.follow('/late', () => {});
    last().offers();
    expect(last().subscriptions()).toEqual([]);
    last().says({ op: 'advertise', channels: [channel(1, '/late')] });
    last().says({ op: 'unadvertise', channelIds: [1] });
    expect(link.view.channels.size).toBe(0);
    last().says({ op: 'advertise', channels: [channel(2, '/late')] });
    expect(last().subscriptions()).toEqual([
      { id: 0, channelId: 1 },
      { id: 1, channelId: 2 },
    ]);
  });

  it('closes when the page is hidden, and some time after the last panel', () => {
    const end = link.hold();
    last().offers();
    link.hide(true);
    expect([last().closed, link.view.state]).toEqual([true, 'off']);
    later();
    expect(sockets).toHaveLength(1);
    link.hide(false);
    expect(sockets).toHaveLength(2);
    end();
    expect(last().closed).toBe(false);
    // The next panel comes in time.
    const other = link.hold();
    later();
    expect(last().closed).toBe(false);
    other();
    later();
    expect([last().closed, sockets.length]).toEqual([true, 2]);
  });

  it('says what the robot dropped, and why a message cannot be read', () => {
    const got: LiveSample[] = [];
    link.hold();
    link.follow('/a', (one) => got.push(one));
    last().offers({ ...channel(1, '/a'), schema: 'float64[100] many' });
    last().says({ op: 'status', level: 1, message: '/a: 5 messages dropped' });
    expect(link.view.notice).toBe('/a: 5 messages dropped');
    last().sends(0, 1);
    expect(got[0]!.value).toBeUndefined();
    expect(got[0]!.fault).toContain(`not a ${POINT}`);
  });
});
