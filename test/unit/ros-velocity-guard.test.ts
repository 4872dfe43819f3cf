import { describe, expect, it } from 'vitest';
import {
  STOP_BOUND_MS,
  STOP_END_MS,
  STOP_REPEATS,
  VelocityGuard,
} from '../../adapters/ros/host/velocity-guard.ts';

const EXPIRY_MS = 300;

function stops(guard: VelocityGuard, fromMs: number, listeners: number, ticks = 2 * STOP_REPEATS): number {
  let sent = 0;
  for (let i = 0; i < ticks; i += 1) if (guard.tick(fromMs + i, listeners).stop) sent += 1;
  return sent;
}

describe('the guard of a velocity topic', () => {
  it('stops the robot once after its own start, as soon as somebody listens', () => {
    const guard = new VelocityGuard(EXPIRY_MS);
    expect(stops(guard, 0, 0)).toBe(0);
    expect(stops(guard, 50, 1)).toBe(STOP_REPEATS);
    expect(stops(guard, 100, 1)).toBe(0);
  });

  it('stops again for each listener that comes later, until it is told to move', () => {
    const guard = new VelocityGuard(EXPIRY_MS);
    expect(stops(guard, 0, 1)).toBe(STOP_REPEATS);
    expect(stops(guard, 100, 2)).toBe(STOP_REPEATS);
    expect(stops(guard, 200, 1)).toBe(0);
    guard.command(true, 300);
    expect(stops(guard, 301, 3)).toBe(0);
  });

  it('lets renewed commands be', () => {
    const guard = new VelocityGuard(EXPIRY_MS);
    for (let now = 0; now < 3_000; now += 50) {
      guard.command(false, now);
      expect(guard.tick(now + 25, 1)).toEqual({ stop: false, expired: false });
    }
    expect(guard.moving).toBe(true);
  });

  it('stops an expired command, and says so once', () => {
    const guard = new VelocityGuard(EXPIRY_MS);
    guard.command(false, 1_000);
    expect(guard.tick(1_299, 1)).toEqual({ stop: false, expired: false });
    expect(guard.tick(1_300, 1)).toEqual({ stop: true, expired: true });
    expect(guard.tick(1_325, 1)).toEqual({ stop: true, expired: false });
    expect(guard.moving).toBe(false);
  });

  it('owes a stop that nobody could hear', () => {
    const guard = new VelocityGuard(EXPIRY_MS);
    guard.command(false, 0);
    expect(guard.tick(400, 0)).toEqual({ stop: false, expired: true });
    expect(stops(guard, 5_000, 1)).toBe(STOP_REPEATS);
  });

  it('stops at once when the adapter is lost in motion, and not otherwise', () => {
    const guard = new VelocityGuard(EXPIRY_MS);
    guard.command(false, 0);
    guard.adapterLost();
    expect(guard.tick(1, 1).stop).toBe(true);
    guard.command(true, 10);
    guard.adapterLost();
    expect(stops(guard, 11, 1)).toBe(0);
  });

  it('on standby owes nothing, until the host in charge is dead', () => {
    const guard = new VelocityGuard(EXPIRY_MS, { standby: true });
    expect(stops(guard, 0, 1)).toBe(0);
    expect(stops(guard, 100, 2)).toBe(0);
    guard.halt();
    expect(stops(guard, 200, 2)).toBe(STOP_REPEATS);
  });

  it('owes nothing after a stop command, and forgets what it owed when told to move', () => {
    const guard = new VelocityGuard(EXPIRY_MS);
    guard.command(true, 0);
    expect(stops(guard, 1, 1)).toBe(0);
    guard.command(false, 20);
    guard.adapterLost();
    guard.command(false, 21);
    expect(guard.tick(22, 1).stop).toBe(false);
  });
});

describe('the guard of joints that others drive too', () => {
  const bounded = { bounded: true };
  const LATER = 10_000 + STOP_BOUND_MS;

  it('does not halt them for who begins to listen long after the start', () => {
    const guard = new VelocityGuard(EXPIRY_MS, bounded);
    expect(stops(guard, 0, 1)).toBe(STOP_REPEATS);
    expect(stops(guard, LATER, 1)).toBe(0);
    expect(stops(guard, LATER + 100, 2)).toBe(0);
    expect(stops(guard, LATER + 200, 1)).toBe(0);
    expect(stops(guard, LATER + 300, 2)).toBe(0);
  });

  it('stops them still where a recorder was found a little before them, and however late they are found', () => {
    const guard = new VelocityGuard(EXPIRY_MS, bounded);
    expect(stops(guard, 0, 0)).toBe(0);
    expect(stops(guard, LATER, 1)).toBe(STOP_REPEATS);
    expect(stops(guard, LATER + STOP_BOUND_MS - 100, 2)).toBe(STOP_REPEATS);
    expect(stops(guard, 2 * LATER, 2)).toBe(0);
    expect(stops(guard, 2 * LATER + 100, 3)).toBe(0);
  });

  it('halts nobody later where a standby took over, or a command expired', () => {
    const standby = new VelocityGuard(EXPIRY_MS, { ...bounded, standby: true });
    expect(stops(standby, 0, 1)).toBe(0);
    standby.halt();
    const expiring = new VelocityGuard(EXPIRY_MS, bounded);
    expiring.command(false, 0);
    for (const guard of [standby, expiring]) {
      expect(stops(guard, 1_000, 1)).toBe(STOP_REPEATS);
      expect(stops(guard, LATER, 1)).toBe(0);
      expect(stops(guard, LATER + 100, 2)).toBe(0);
    }
  });

  it('stops them when they come back, if they were away when the command for them expired', () => {
    const guard = new VelocityGuard(EXPIRY_MS, bounded);
    guard.command(false, 0);
    guard.tick(100, 2);
    // The link breaks; a recorder here is left.
    expect(stops(guard, 400, 1)).toBe(STOP_REPEATS);
    expect(stops(guard, LATER, 1)).toBe(0);
    expect(stops(guard, LATER + 100, 2)).toBe(STOP_REPEATS);
    // Everybody who was told to move was told to stand.
    expect(stops(guard, LATER + 200, 2)).toBe(0);
    expect(stops(guard, LATER + 300, 3)).toBe(0);
  });

  it('does not halt them for who comes long after a listener that only passed by while they moved', () => {
    const guard = new VelocityGuard(EXPIRY_MS, bounded);
    guard.command(false, 0);
    guard.tick(100, 2);
    expect(stops(guard, 400, 1)).toBe(STOP_REPEATS);
    expect(stops(guard, 399 + STOP_END_MS, 1, 1)).toBe(0);
    expect(stops(guard, 400 + STOP_END_MS, 1, 1)).toBe(0);
    expect(stops(guard, 500 + STOP_END_MS, 2)).toBe(0);
  });

  it('waits for them as long as it takes where nobody listens any more', () => {
    const guard = new VelocityGuard(EXPIRY_MS, bounded);
    guard.command(false, 0);
    guard.tick(100, 2);
    expect(stops(guard, 400, 1)).toBe(STOP_REPEATS);
    expect(stops(guard, 500, 0)).toBe(0);
    expect(stops(guard, 1_000 + STOP_END_MS, 0)).toBe(0);
    expect(stops(guard, 2_000 + STOP_END_MS, 1)).toBe(STOP_REPEATS);
    expect(stops(guard, 3_000 + STOP_END_MS, 2)).toBe(0);
  });

  it('begins anew with our first command', () => {
    const guard = new VelocityGuard(EXPIRY_MS, bounded);
    stops(guard, 0, 1);
    stops(guard, LATER, 1);
    guard.command(false, LATER + 100);
    expect(stops(guard, LATER + 101, 2)).toBe(0);
    expect(stops(guard, LATER + 100 + EXPIRY_MS, 2)).toBe(STOP_REPEATS);
  });
});
