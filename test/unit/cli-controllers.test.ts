import { describe, expect, it } from 'vitest';
import { watched } from '../../cli/commands/controllers.ts';
import { type Keyboard, teleop } from '../../cli/commands/teleop.ts';
import type { CommandContext } from '../../cli/context.ts';
import { type ControllerView, EdgeError } from '../../contract/core.ts';

describe('watching a controller', () => {
  const views = ['arm', 'hand'].map((name) => ({ name })) as ControllerView[];

  it('shows the one of that name, and all without a name', () => {
    expect(watched(views, 'hand').map(({ name }) => name)).toEqual(['hand']);
    expect(watched(views, undefined)).toEqual(views);
    expect(watched([], undefined)).toEqual([]);
  });

  it('of a name that none has tells those that there are', () => {
    expect(() => watched(views, 'amr')).toThrow('unknown controller amr; configured: arm, hand');
    expect(() => watched([], 'arm')).toThrow('unknown controller arm; configured: none');
  });
});

describe('steering by keys', () => {
  /** A daemon whose stop is engaged and not confirmed to hold the robot, or works. */
  function context(stops: boolean): CommandContext {
    const engaged = { engaged: true, by: 'vera', source: 'api', reason: '', since_ns: '1' };
    const api = {
      post: async (path: string) => {
        if (path === '/v1/estop' && !stops)
          throw new EdgeError('robot.unreachable', {
            ...{ operation: 'engage', subject: 'robot', message: 'the robot did not confirm that it stands' },
          });
        return path === '/v1/estop' ? engaged : { lease_id: 7 };
      },
      get: async () => engaged,
    };
    const out = { result: () => {}, note: () => {} };
    return { api, out, settings: { dataDir: '/nowhere' } } as unknown as CommandContext;
  }

  /** Someone types as soon as keys are read. */
  function typing(keys: string): Keyboard {
    const keyboard = {
      isTTY: true,
      setRawMode: () => keyboard,
      resume: () => keyboard,
      pause: () => keyboard,
      off: () => keyboard,
      on: (_: string, listener: (key: Buffer) => void) => {
        queueMicrotask(() => listener(Buffer.from(keys)));
        return keyboard;
      },
    };
    return keyboard as unknown as Keyboard;
  }

  it.each([
    ['q', false, 0],
    ['e', true, 0],
    ['e', false, 1],
  ])('key %s ends it; where the stop works is %j it ends with %d', async (keys, stops, code) => {
    expect(await teleop(context(stops), { speed: '0.2', turn: '0.8' }, typing(keys))).toBe(code);
  });
});
