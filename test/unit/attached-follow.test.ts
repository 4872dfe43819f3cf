import { expect, it } from 'vitest';
import { AttachedRobot } from '../../io/attached/attached-robot.ts';
import type { FromServers } from '../../io/attached/messages.ts';

it('the cell is asked for samples no faster than it answers, however often clients subscribe', () => {
  const posted: FromServers[] = [];
  const robot = new AttachedRobot((message) => posted.push(message));
  robot.receive({
    ...{ kind: 'topics', removed: [] },
    added: [{ topic: '/map', type: 'std_msgs/msg/String', schema: '', latched: true }],
  });
  let end = () => {};
  for (let i = 0; i < 1_000; i++) {
    end();
    end = robot.follow('/map', () => {});
    robot.follow(`/${i}`, () => {});
  }
  expect(posted.map(({ kind }) => kind)).toEqual(['follow', 'latest']);
  robot.receive({ kind: 'following' });
  robot.receive({ kind: 'given', ticket: 1 });
  expect(posted.slice(2)).toMatchObject([
    { kind: 'follow', added: Array.from({ length: 1_000 }, (_, i) => `/${i}`), removed: [] },
    { kind: 'latest', topic: '/map' },
  ]);
  robot.receive({ kind: 'following' });
  expect(posted).toHaveLength(4);
});
