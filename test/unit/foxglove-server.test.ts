import { afterEach, describe, expect, it } from 'vitest';
import { FoxgloveServer } from '../../adapters/foxglove/index.ts';
import { ApiCaller } from '../../io/attached/api-caller.ts';
import { AttachedRobot } from '../../io/attached/attached-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { StockFoxglove } from '../support/foxglove-client.ts';
import { FakeDoor, GRAPH } from '../support/foxglove-session.ts';

describe('the Foxglove server', () => {
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  it('shows the parameters of all nodes to the second client too', async () => {
    const robot = new AttachedRobot(() => {});
    const server = new FoxgloveServer(
      {
        ...{ name: 'foxglove', host: '127.0.0.1', port: 0, clientsMax: 2, queueBytes: 1_000_000 },
        ...{ isOpen: false, needsToken: false },
      },
      {
        ...{ clock: new ManualClock(), robot, name: 'r1', sessionId: 's1', hasRos: true, isSimulated: false },
        assets: { fetch: async () => ({ error: '' }) },
        callerOf: (token) =>
          new ApiCaller({ token, url: () => 'http://127.0.0.1', fetch: async () => Response.json({}) }),
        doorOf: () => new FakeDoor(),
        report: () => {},
      },
    );
    const port = await server.start();
    closing.push(() => server.close());
    const parametersOf = async () => {
      const one = new StockFoxglove(`ws://127.0.0.1:${port}`);
      closing.push(() => one.close());
      const until = async (done: () => boolean) => {
        while (!done()) await new Promise((resolve) => setImmediate(resolve));
      };
      await until(() => one.info !== undefined);
      if (closing.length === 2) robot.receive({ kind: 'graph', graph: GRAPH });
      one.client.getParameters([], 'all');
      await until(() => one.answers.length > 0);
      return one.answers[0] as { parameters: { name: string }[] };
    };
    const names = ['/amcl.speed', '/amcl.name'];
    for (let i = 0; i < 2; i++)
      expect((await parametersOf()).parameters.map(({ name }) => name)).toEqual(names);
  });
});
