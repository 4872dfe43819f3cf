import { describe, expect, it } from 'vitest';
import { statusText } from '../../cli/commands/status.ts';
import type { Status } from '../../cli/status-view.ts';
import { alertsOf } from '../../cli/watch/alerts.ts';
import { WatchBook } from '../../cli/watch/watch-book.ts';
import { watchText } from '../../cli/watch/watch-text.ts';

const URL = 'http://127.0.0.1:1';

/** An arm on a table, as the daemon reports it: no base was ever heard. */
function statusOf(robot: object): Status {
  const away = { available: false, reason: '' };
  return {
    ...{ robot_id: 'ar4', version: '1', cells: [] },
    runs: { available: true, ready: true, apps: [], runs: [], phases: {} },
    robot: {
      ...{ available: true, connected: false, motion: 'idle', degraded: [] },
      source: { kind: 'sim', connected: true, reason: '' },
      health: { diagnostics: [], joints: {} },
      arm: { connected: true, motion: 'following' },
      ...robot,
    },
    ...{ recorder: away, control: away, zenoh: away, lake: away, link: away },
  } as unknown as Status;
}

function watched(status: Status): string {
  const book = new WatchBook(URL);
  book.seen({ status, runs: [] }, 1_700_000_000_000);
  return watchText(book.view(1_700_000_000_000), 100, 40, false);
}

describe('an arm without a base', () => {
  it('is connected, in the status and while it is watched, without an alarm', () => {
    const status = statusOf({});
    expect(statusText(status, URL)).toContain('sim connected, no base heard, arm following');
    expect(watched(status)).toMatch(/robot +connected, no base heard \(sim\)/);
    expect(alertsOf(status).filter(({ level }) => level === 'bad')).toEqual([]);
  });

  it('that is lost too is not connected, with the reason', () => {
    const status = statusOf({
      arm: { connected: false, motion: 'idle' },
      source: { kind: 'ros', connected: false, reason: 'no host' },
    });
    expect(statusText(status, URL)).toContain('ros not connected: no host, idle');
    expect(watched(status)).toMatch(/robot +not connected \(ros\)/);
    expect(alertsOf(status)).toContainEqual({ level: 'bad', text: 'robot is not connected: no host' });
  });

  it('says nothing after "not connected" where no reason is known', () => {
    const status = statusOf({ arm: undefined });
    expect(statusText(status, URL)).toContain('sim not connected, idle');
  });
});
