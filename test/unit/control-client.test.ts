import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { EdgeError, ErrorBody, Sample } from '../../contract/index.ts';
import { ControlClient } from '../../daemon/execution/control/control-client.ts';
import type { TickResult } from '../../daemon/execution/control/control-core.ts';
import type { FromControl, ToControl } from '../../daemon/execution/control/messages.ts';
import { spawnInline } from '../fakes/flat-robot.ts';
import { FlatWorld } from '../fakes/flat-world.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** A thread that the test plays: what it was told, and a way to answer. */
class PlayedThread {
  readonly told: ToControl[] = [];
  terminated = 0;
  #listen: (message: never) => void = () => {};
  exit: (reason: string) => void = () => {};
  readonly handle = {
    port: {
      postMessage: (message: unknown) => {
        this.told.push(message as ToControl);
      },
      on: (_: 'message', listen: (message: never) => void) => {
        this.#listen = listen;
      },
    },
    terminate: () => {
      this.terminated++;
    },
    onExit: (listen: (reason: string) => void) => {
      this.exit = listen;
    },
  };
  /** Its policy is loaded. */
  ready(fault?: ErrorBody): void {
    const policy = { name: 'played', hash: '', inputs: {}, output: [1, 2] as const, stepMs: 50 };
    this.say({ kind: 'ready', policy, hz: 20, ...(fault ? { fault } : {}) });
  }
  say(message: FromControl): void {
    this.#listen(message as never);
  }
  /** Answers every ping that is open. */
  alive(): void {
    for (const m of this.told.splice(0)) {
      if (m.kind === 'ask' && m.ask.op === 'ping') this.say({ kind: 'answer', id: m.id, value: undefined });
    }
  }
}

function bench() {
  const clock = new ManualClock();
  const threads: PlayedThread[] = [];
  const down: string[] = [];
  const ready: (EdgeError | undefined)[] = [];
  const client = new ControlClient({
    clock,
    spawn: () => {
      const thread = new PlayedThread();
      threads.push(thread);
      return thread.handle;
    },
    onTick: () => {},
    onWake: () => {},
    onReady: (fault) => ready.push(fault),
    onDown: (reason) => down.push(reason),
  });
  client.start();
  return { clock, threads, down, ready, client };
}

const GOAL = { pose: { x: 1, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 1_000 };

describe('control client', () => {
  it('says that the robot has to stand before it terminates a thread that hangs, and lets that go out', async () => {
    const { clock, threads, down } = bench();
    threads[0]!.ready();
    const seen: [number, number][] = [];
    for (let i = 0; i < 1_200 && threads[0]!.terminated === 0; i++) {
      await clock.advance(10);
      seen.push([down.length, threads[0]!.terminated]);
    }
    expect(seen.at(-1)).toEqual([1, 1]);
    // Half a second, in which zeros are repeated.
    expect(seen.filter(([told, ended]) => told === 1 && ended === 0).length).toBeGreaterThan(50);
  });

  it('replaces a thread that ends: the robot is stopped first, what was asked rejects, new questions work', async () => {
    const { clock, threads, down, client } = bench();
    const motion = client.navigate(GOAL);
    const state = client.state();
    threads[0]!.exit('code 1');
    await expect(motion).rejects.toMatchObject({ code: 'cell.restarted', message: 'code 1' });
    await expect(state).rejects.toMatchObject({ code: 'cell.restarted' });
    expect(down).toEqual(['code 1']);
    await expect(client.state()).rejects.toMatchObject({ code: 'robot.unreachable' });
    await clock.advance(200);
    expect(threads).toHaveLength(2);
    const again = client.state();
    const asked = threads[1]!.told.at(-1)!;
    threads[1]!.say({ kind: 'answer', id: (asked as { id: number }).id, value: { time: 5n } });
    expect(await again).toEqual({ time: 5n });
    // The old one is not listened to any more.
    threads[0]!.exit('again');
    expect(threads).toHaveLength(2);
    expect(client.status.restarts).toBe(1);
  });

  it('replaces a thread that hangs: it does not answer pings', async () => {
    const { clock, threads, down } = bench();
    threads[0]!.ready();
    for (let i = 0; i < 10; i++) {
      await clock.advance(1_000);
      threads[0]!.alive();
    }
    expect(down).toEqual([]);
    await clock.advance(6_700);
    expect(down).toHaveLength(1);
    expect(threads[0]!.terminated).toBe(1);
    await clock.advance(1_000);
    expect(threads.length).toBe(2);
  });

  it('reads what a thread has answered before it judges it: the thread of the daemon may have stalled', async () => {
    const { clock, threads, down, client } = bench();
    threads[0]!.ready();
    const ticked = client.tick(5n);
    const { id } = threads[0]!.told.at(-1) as { id: number };
    // Timers come first after a stall; what lies in the port is read after them.
    clock.skip(20_000);
    await clock.advance(0);
    const result: TickResult = { time: 5n, command: undefined, hold: false, receipts: [] };
    threads[0]!.say({ kind: 'ticked', id, result, counts: {} as never });
    threads[0]!.alive();
    expect(await ticked).toEqual(result);
    await clock.advance(200);
    expect(down).toEqual([]);
  });

  it('counts an answer as work: an idle lockstep simulation has no ticks, and its thread may be slow', async () => {
    const { clock, threads, down, client } = bench();
    threads[0]!.ready();
    const seen: number[] = [];
    // Every ping is answered, 3 s late: within its deadline, and there is always one open.
    const due: { atMs: number; id: number }[] = [];
    for (let second = 1; second <= 30; second++) {
      await clock.advance(1_000);
      for (const m of threads[0]!.told.splice(0))
        if (m.kind === 'ask' && m.ask.op === 'ping')
          due.push({ atMs: clock.monotonicMs() + 3_000, id: m.id });
      while (due[0] && due[0].atMs <= clock.monotonicMs())
        threads[0]!.say({ kind: 'answer', id: due.shift()!.id, value: undefined });
      const { done, waiting } = client.work();
      expect(waiting).toBeGreaterThan(0);
      seen.push(done);
    }
    expect(down).toEqual([]);
    expect(client.status.ticks).toBe(0);
    // From 4 s on it goes up every second.
    expect(seen.slice(3)).toEqual(seen.slice(3).map((_, i) => i + 1));
  });

  it('owes no answer while a thread loads its policy, which has a limit of its own', async () => {
    const { clock, threads, client } = bench();
    for (let i = 0; i < 35; i++) {
      client.state().catch(() => {});
      await clock.advance(1_000);
      expect(client.work().waiting).toBe(0);
    }
    threads[0]!.ready();
    client.state().catch(() => {});
    expect(client.work().waiting).toBeGreaterThan(0);
  });

  it('waits for a thread that loads its policy, but not for ever', async () => {
    const { clock, threads, down, client } = bench();
    const state = client.state();
    state.catch(() => {});
    await clock.advance(30_000);
    await expect(state).rejects.toMatchObject({ code: 'deadline.exceeded' });
    expect(down).toEqual([]);
    threads[0]!.ready();
    for (let i = 0; i < 20; i++) {
      threads[0]!.alive();
      await clock.advance(1_000);
    }
    expect(down).toEqual([]);
    threads[0]!.exit('code 1');
    await clock.advance(41_000);
    expect(down).toEqual(['code 1', 'its policy did not load in time']);
  });

  it('tells that another policy than the configured one drives, and why', () => {
    const { threads, ready, client } = bench();
    const fault = { code: 'model.unavailable', operation: 'load policy', subject: 'a.onnx' } as const;
    threads[0]!.ready({ ...fault, message: 'gone', hint: '', retryable: true });
    expect(ready).toEqual([expect.objectContaining({ code: 'model.unavailable', message: 'gone' })]);
    expect(client.status.policy).toBe('played');
  });

  it('a motion may take as long as the robot needs; a tick may not', async () => {
    const { clock, threads, down, client } = bench();
    threads[0]!.ready();
    let settled = false;
    const motion = client.navigate(GOAL).finally(() => {
      settled = true;
    });
    motion.catch(() => {});
    for (let i = 0; i < 100; i++) {
      await clock.advance(1_000);
      threads[0]!.alive();
    }
    expect(settled).toBe(false);
    expect(client.work().waiting).toBe(0);
    const tick = client.tick(1n);
    expect(client.work().waiting).toBe(1);
    tick.catch(() => {});
    for (let i = 0; i < 12; i++) {
      threads[0]!.alive();
      await clock.advance(1_000);
    }
    await expect(tick).rejects.toMatchObject({
      code: expect.stringMatching(/deadline.exceeded|cell.restarted/),
    });
    expect(down).toHaveLength(1);
  });

  it('closes a thread that then ends by itself; nothing terminates it amid an inference', async () => {
    const { clock, client, threads } = bench();
    threads[0]!.ready();
    const closed = client.close();
    expect(threads[0]!.told.at(-1)).toEqual({ kind: 'close' });
    threads[0]!.exit('the thread ended with code 0');
    await closed;
    await clock.advance(20_000);
    expect(threads[0]!.terminated).toBe(0);
    expect(threads).toHaveLength(1);
  });

  it('terminates a thread that does not end within a second of its closing', async () => {
    const { clock, client, threads } = bench();
    threads[0]!.ready();
    const closed = client.close();
    await clock.advance(990);
    expect(threads[0]!.terminated).toBe(0);
    await clock.advance(10);
    await closed;
    expect(threads[0]!.terminated).toBe(1);
  });

  it('starts again and again with growing delays when the thread cannot start', async () => {
    const clock = new ManualClock();
    const at: number[] = [];
    const client = new ControlClient({
      clock,
      spawn: () => {
        at.push(clock.monotonicMs());
        throw new Error('no such file');
      },
      onTick: () => {},
      onWake: () => {},
      onDown: () => {},
    });
    client.start();
    await clock.advance(20_000);
    expect(at.slice(0, 4)).toEqual([0, 100, 300, 700]);
    expect(at.length).toBeLessThan(12);
    await client.close();
    const before = at.length;
    await clock.advance(20_000);
    expect(at.length).toBe(before);
  });

  it('passes on what the thread needs and copies its bytes; other topics stay here', () => {
    const { threads, client } = bench();
    const bytes = new Uint8Array(16).subarray(4, 8);
    const sample = (topic: string, type: string): Sample => ({ topic, type, stamp: 0n, received: 0n, bytes });
    client.offer(sample('/camera/image', 'sensor_msgs/msg/Image'));
    client.offer(sample('/scan', 'sensor_msgs/msg/LaserScan'));
    client.offer(sample('/scan', 'some_msgs/msg/Other'));
    client.offer(sample('/maze/exit_reached', 'std_msgs/msg/Bool'));
    const told = threads[0]!.told.flatMap((m) => (m.kind === 'sample' ? [m.sample] : []));
    expect(told.map(({ topic }) => topic)).toEqual(['/scan', '/maze/exit_reached']);
    expect(told[0]!.bytes.buffer).not.toBe(bytes.buffer);
    expect(told[0]!.bytes.buffer.byteLength).toBe(4);
  });
});

describe('control thread by its own clock', () => {
  it('ticks in robot time, drives and stops', async () => {
    const clock = new SystemClock();
    const ticks: TickResult[] = [];
    const world = new FlatWorld({
      walls: [
        [0, 0, 4, 0],
        [0, 0, 0, 3],
        [4, 0, 4, 3],
        [0, 3, 4, 3],
      ],
      start: { x: 1, y: 1, yaw: 0 },
    });
    const client = new ControlClient({
      clock,
      spawn: () => spawnInline(clock, false),
      onTick: (result) => {
        ticks.push(result);
        if (result.command) world.command = result.command;
      },
      onWake: () => {},
      onDown: (reason) => {
        throw new Error(reason);
      },
    });
    client.start();
    const robot = clock.every(50, () => {
      for (const sample of world.advance()) client.offer(sample);
    });
    while (!(await client.state()).pose) await new Promise((resolve) => setTimeout(resolve, 20));
    const result = await client.maneuver({ kind: 'drive', distance: 0.1 });
    robot.cancel();
    expect(result.outcome).toBe('reached');
    expect(world.driven).toBeGreaterThan(0.08);
    expect(world.driven).toBeLessThan(0.2);
    expect(ticks.length).toBeGreaterThan(10);
    for (let i = 1; i < ticks.length; i++) expect(ticks[i]!.time).toBeGreaterThanOrEqual(ticks[i - 1]!.time);
    expect(client.status).toMatchObject({ policy: 'pursuit', hz: 20, restarts: 0 });
    await client.close();
  });
});
