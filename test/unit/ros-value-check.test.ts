import { describe, expect, it } from 'vitest';
import { toVendor } from '../../adapters/ros/host/values.ts';
import { type CellContext, METHODS, type RosApi } from '../../contract/index.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { serveRos } from '../../daemon/execution/ros-requests.ts';
import { checkRosValue } from '../../formats/ros2/value-check.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

function desk() {
  const clock = new ManualClock();
  const bus = new FakeBus(clock);
  const reached: string[] = [];
  const sent = (what: string) => {
    reached.push(what);
    return {};
  };
  const api = {
    services: { call: async () => sent('call') },
    actions: { send: async () => sent('send') },
    parameters: { set: async () => sent('set') },
  } as unknown as RosApi;
  const context = { name: 'execution', clock, bus, report: () => {} } as unknown as CellContext;
  serveRos(context, {
    api,
    qosEvents: () => [],
    wanted: () => {},
    bus: new SampleBus({ clock, ledger: new Ledger() }),
  });
  const ask = (method: string, body: unknown) => bus.request('execution', method, body, 1_000);
  return { ask, reached };
}

const { rosCall, rosGoalSend, rosParams } = METHODS.execution;
const timeoutMs = 100;

describe('what is sent into the ROS graph', () => {
  // As a hostile or careless client writes them: JSON has no word for infinity, but reads this as one.
  const infinite = JSON.parse('{"pose":{"position":[{"x":1e999}]}}') as object;
  let deep: unknown = 1;
  for (let i = 0; i < 100; i++) deep = [deep];

  it.each([
    [
      'a goal of infinity',
      rosGoalSend,
      { action: '/a', type: 'a/action/B', goal: infinite },
      '/goal/pose/position/0/x',
    ],
    [
      'a request of NaN',
      rosCall,
      { service: '/s', type: 'a/srv/B', request: { x: Number.NaN } },
      '/request/x',
    ],
    [
      'a parameter of infinity',
      rosParams,
      { node: '/n', set: { speed: { kind: 'double', value: -1 / 0 } } },
      '/values/speed/value',
    ],
    [
      'a goal nested without end',
      rosGoalSend,
      { action: '/a', type: 'a/action/B', goal: { deep } },
      '/goal/deep',
    ],
  ])('is refused as %s, naming the path, and reaches nobody', async (_, method, body, path) => {
    const { ask, reached } = desk();
    await expect(ask(method, { ...body, timeoutMs })).rejects.toMatchObject({
      code: 'schema.invalid',
      message: expect.stringContaining(path) as string,
    });
    expect(reached).toEqual([]);
  });

  it('passes where it is finite', async () => {
    const { ask, reached } = desk();
    await ask(rosCall, {
      service: '/s',
      type: 'nav_msgs/srv/GetPlan',
      request: { x: [1, -2.5e300], y: 'inf' },
      timeoutMs,
    });
    await ask(rosParams, { node: '/n', set: { a: { kind: 'double', value: 1 } }, timeoutMs });
    expect(reached).toEqual(['call', 'set']);
  });

  it('is refused where it is null, as JSON writes what is not a number: left out it would be zero', () => {
    for (const goal of [{ pose: { position: { x: null } } }, { ranges: [1, null] }, null])
      expect(() => checkRosValue(goal, '/goal')).toThrow('must not be null');
    expect(() => checkRosValue({ pose: {} }, '/goal')).not.toThrow();
  });

  it('is never followed deeper than any message goes', () => {
    let bottomless: unknown = 1;
    for (let i = 0; i < 100_000; i++) bottomless = { a: bottomless };
    expect(() => checkRosValue(bottomless, '/goal')).toThrow('nested deeper than 64');
  });

  it('does not become infinity in a field of 32 bits', () => {
    const field = (type: string) => ({ name: 'x', type: { type, isPrimitiveType: true, isArray: false } });
    const cls = (type: string) => ({ ROSMessageDef: { fields: [field(type)] } }) as never;
    expect(() => toVendor({} as never, cls('float32'), { x: 1e300 })).toThrow('/x: must be float32');
    expect(toVendor({} as never, cls('float64'), { x: 1e300 })).toEqual({ x: 1e300 });
    expect(toVendor({} as never, cls('float32'), { x: 0.1 })).toEqual({ x: 0.1 });
  });
});
