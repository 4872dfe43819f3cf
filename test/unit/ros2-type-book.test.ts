import { describe, expect, it } from 'vitest';
import { decodeAny, encodeAny, KNOWN_TYPES, TypeBook } from '../../formats/ros2/index.ts';
import published from '../golden/rihs01.json' with { type: 'json' };

const book = new TypeBook();

describe('RIHS01', () => {
  it('is for every built-in definition what ROS 2 Jazzy itself computed', () => {
    const ours = Object.fromEntries(Object.keys(published).map((type) => [type, book.hash(type)]));
    expect(ours).toEqual(published);
  });

  it('is known for every built-in message', () => {
    expect(KNOWN_TYPES.filter((type) => !book.knows(type))).toEqual([]);
  });

  it.each([
    ['a comment', 'float32 x # metres\n', true],
    ['spaces and a default value', '  float32   x  1.5\n', true],
    ['a constant', 'float32 LIMIT=2.0\nfloat32 x', true],
    ['another field name', 'float32 y', false],
    ['a sequence', 'float32[] x', false],
    ['an array', 'float32[3] x', false],
    ['a bounded sequence', 'float32[<=3] x', false],
  ])('%s: the same hash is %s', (_what, text, same) => {
    const plain = new TypeBook((type) => (type === 'a_msgs/msg/A' ? 'float32 x' : undefined));
    const other = new TypeBook((type) => (type === 'a_msgs/msg/A' ? text : undefined));
    expect(other.hash('a_msgs/msg/A') === plain.hash('a_msgs/msg/A')).toBe(same);
  });

  it('names the missing type and what to install', () => {
    const holes = new TypeBook((type) => (type === 'a_msgs/msg/A' ? 'b_msgs/Thing thing' : undefined));
    expect(() => holes.hash('a_msgs/msg/A')).toThrow(
      expect.objectContaining({
        code: 'sample.unknown_type',
        message: expect.stringContaining('b_msgs/msg/Thing'),
        hint: expect.stringContaining('b-msgs'),
      }),
    );
    expect(holes.knows('a_msgs/msg/A')).toBe(false);
    expect(holes.knows('../../etc/passwd')).toBe(false);
  });

  it.each([
    ['a service of one part', 'x_msgs/srv/S', 'int32 a'],
    ['an action of two parts', 'x_msgs/action/S', 'int32 a\n---\nint32 b'],
    ['no definition at all', 'x_msgs/msg/S', '<xml/>'],
  ])('%s is refused as unknown', (_what, type, text) => {
    const odd = new TypeBook((name) => (name === type ? text : undefined));
    expect(() => odd.hash(type)).toThrow(expect.objectContaining({ code: 'sample.unknown_type' }));
  });

  it('prefers the definition of the installation over the built-in one', () => {
    const other = new TypeBook((type) => (type === 'std_msgs/msg/String' ? 'string text' : undefined));
    expect(other.hash('std_msgs/msg/String')).not.toBe(book.hash('std_msgs/msg/String'));
  });
});

describe('parts of services and actions', () => {
  const both = (type: string, value: Record<string, unknown>) => {
    const definition = book.definition(type);
    return decodeAny(type, encodeAny(type, value, definition), definition);
  };

  it('encode and decode', () => {
    expect(both('std_srvs/srv/SetBool_Request', { data: true })).toEqual({ data: true });
    expect(both('example_interfaces/srv/AddTwoInts_Request', { a: 2n, b: -3n })).toEqual({ a: 2n, b: -3n });
    expect(both('std_srvs/srv/Trigger_Request', {})).toEqual({});
    const id = { uuid: new Uint8Array(16).fill(7) };
    expect(
      both('example_interfaces/action/Fibonacci_SendGoal_Request', { goal_id: id, goal: { order: 5 } }),
    ).toEqual({ goal_id: id, goal: { order: 5 } });
    expect(
      both('example_interfaces/action/Fibonacci_GetResult_Response', {
        status: 4,
        result: { sequence: new Int32Array([0, 1, 1]) },
      }),
    ).toEqual({ status: 4, result: { sequence: new Int32Array([0, 1, 1]) } });
    expect(
      both('nav2_msgs/action/NavigateToPose_FeedbackMessage', {
        goal_id: id,
        feedback: { distance_remaining: 1.5 },
      }),
    ).toMatchObject({ goal_id: id, feedback: { distance_remaining: 1.5 } });
  });

  it('take numbers a person typed for 64-bit integers, and refuse those that would change', () => {
    expect(both('example_interfaces/srv/AddTwoInts_Request', { a: 2, b: -3 })).toEqual({ a: 2n, b: -3n });
    expect(() => both('example_interfaces/srv/AddTwoInts_Request', { a: 2 ** 60, b: 0 })).toThrow(/a/);
    expect(() => both('example_interfaces/srv/AddTwoInts_Request', { a: 1.5, b: 0 })).toThrow(/a/);
  });
});
