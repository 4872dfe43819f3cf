import { expect, it } from 'vitest';
import { ChatCore } from '../../cli/chat/core.ts';
import { RpcLines, rpcAsked, rpcResponse } from '../../cli/chat/rpc.ts';

const of = (command: object) => rpcAsked(JSON.stringify(command));
const NEW = { state: 'new', reason: '', connected: true } as const;

it.each([
  [
    { type: 'prompt', message: '/help me' },
    { kind: 'say', text: '/help me' },
  ],
  [
    { type: 'prompt', message: 'later', streamingBehavior: 'followUp' },
    { kind: 'follow', text: 'later' },
  ],
  [
    { type: 'steer', message: 'left' },
    { kind: 'say', text: 'left' },
  ],
  [
    { type: 'follow_up', message: 'then home' },
    { kind: 'follow', text: 'then home' },
  ],
  [{ type: 'abort' }, { kind: 'stop' }],
  [
    { type: 'set_model', provider: 'x', modelId: 'local' },
    { kind: 'model', text: 'local' },
  ],
  [
    { type: 'set_thinking_level', level: 'high' },
    { kind: 'thinking', text: 'high' },
  ],
  [{ type: 'compact' }, { kind: 'compact', text: '' }],
  [
    { type: 'approve', approval_id: 'AB12', decision: 'deny' },
    { kind: 'approve', decision: 'deny', name: 'ab12' },
  ],
  [
    { type: 'answer', message: 'y' },
    { kind: 'answer', text: 'y' },
  ],
  [{ type: 'close' }, { kind: 'close' }],
])('%j means what a person would type', (command, said) => {
  expect(of({ id: '7', ...command })).toMatchObject({ id: '7', command: command.type, said });
});

it.each([
  ['{', 'parse', /is not JSON/],
  ['[1]', 'parse', /expected a JSON object/],
  ['{"type":"bash","command":"ls"}', 'bash', /unknown command "bash"; known are prompt/],
  ['{"type":"prompt"}', 'prompt', /^message: expected a text/],
  ['{"type":"approve","approval_id":"a"}', 'approve', /^decision: expected/],
  [`{"type":"prompt","message":"${'x'.repeat(300_000)}"}`, 'parse', /more than 262144 characters/],
])('a line that is not a command is refused: %.40s', (line, command, words) => {
  const asked = rpcAsked(line);
  expect(JSON.parse(rpcResponse(asked, [], NEW))).toMatchObject({
    ...{ type: 'response', command, success: false },
    error: expect.stringMatching(words),
  });
});

it('the response says whether the session took the command', () => {
  const core = new ChatCore(() => 'id');
  const answered = (command: object) => {
    const asked = of(command);
    const shown = 'said' in asked ? core.take({ kind: 'asked', said: asked.said }).shown : [];
    return JSON.parse(rpcResponse(asked, shown, core.status)) as object;
  };
  expect(answered({ id: '1', type: 'abort' })).toEqual({
    ...{ id: '1', type: 'response', command: 'abort', success: false, error: 'the agent does nothing' },
  });
  expect(answered({ id: '2', type: 'prompt', message: 'go' })).toEqual({
    ...{ id: '2', type: 'response', command: 'prompt', success: true },
  });
  expect(answered({ type: 'approve', approval_id: 'abcd', decision: 'allow' })).toMatchObject({
    success: false,
  });
  expect(answered({ type: 'get_state' })).toMatchObject({
    success: true,
    data: { state: expect.any(String) },
  });
});

it('only a line feed ends a line, and one without an end is not kept for ever', () => {
  const lines = new RpcLines();
  expect(lines.take('{"a":"\u2028')).toEqual([]);
  expect(lines.take('"}\r\n\n{"b"')).toEqual(['{"a":"\u2028"}']);
  expect(lines.take(':1}\n')).toEqual(['{"b":1}']);
  expect(lines.take('x'.repeat(300_000))).toHaveLength(1);
  expect(lines.take('y\n')).toEqual(['y']);
});
