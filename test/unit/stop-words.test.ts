import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStopOrder, LIMITS } from '../../contract/index.ts';

describe('an order to stop', () => {
  it.each([
    ...['stop', 'Stop!', 'STOP STOP STOP', 'stop pls', 'please stop', 'no no no stop', 'stop it right now'],
    ...[
      '*stop*',
      '_stop_',
      '“stop”',
      '/stop',
      'stop 🛑',
      '🛑',
      '✋ stop',
      'stop👨‍👩‍👧',
      'STOP!!!1!',
      'stop…',
    ],
    ...['Stop! Stop! Stop! Stop! Stop!'],
    ...[
      'halt',
      'robot, halt!',
      'stop! halt!',
      'freeze',
      'whoa',
      'E-stop!',
      'e‑stop',
      'estop',
      'emergency stop',
    ],
    ...[
      'stoooop',
      'STOPP',
      'stopstopstop',
      's t o p',
      'S.T.O.P.',
      'ＳＴＯＰ',
      'arrête!',
      'стоп',
      '停！',
      '止まれ',
    ],
    ...["don't move", 'dont move', 'do not move', 'stand still', 'stay where you are', 'come to a stop'],
    ...[
      'no, stop!',
      'wait, stop',
      'stop, please stop',
      'stop going',
      'stop at once',
      'please stop the robot',
    ],
    ...['could you please stop?', 'you have to stop now', 'I said stop', 'stop the arm', 'abort the mission'],
    ...['hold it!', 'hold it right there', 'no, stay there!'],
    ...[
      'arrete !',
      'Arrête, s’il vous plaît',
      'bitte anhalten',
      'Halt, bitte!',
      'nein, stopp!',
      '¡alto, por favor!',
    ],
    ...['stop movement', 'stop all motors', 'stop the robot arm'],
  ])('%s', (words) => {
    expect(isStopOrder(words)).toBe(true);
  });

  it.each([
    ...['', 'no', 'wait', 'please', 'robot', '…', '🙂', 'go', 'do not stop', "don't stop", 'never halt'],
    ...['hold it for me', 'please hold it', 'hold it above the table', 'can you hold it', 'hold the cup'],
    ...['stay there with the cup', 'please stay there', 'let it stay there', 'hold it and stop at the door'],
    ...['stop at the door', 'stop by the kitchen', 'halt at the gate', 'stop in 5 seconds', 'stop 2'],
    ...[
      'drive until I say stop',
      'stop and turn left',
      'then stop',
      'no stopping',
      'stopping',
      'unstoppable',
    ],
    ...['where is the bus stop?', 'what does stop mean', 'stop talking', 'stop the recording', 'a stop sign'],
    ...['freeze frame'],
  ])('not: %s', (words) => {
    expect(isStopOrder(words)).toBe(false);
  });

  it('however long it is', () => {
    expect(isStopOrder('stop '.repeat(60))).toBe(true);
    expect(isStopOrder('stop, please '.repeat(2_000))).toBe(true);
    expect(isStopOrder(`${'stop '.repeat(2_000)} sign`)).toBe(false);
    // No door takes so much.
    expect(isStopOrder('stop '.repeat(LIMITS.RUN_MESSAGE_CHARS_MAX))).toBe(false);
  });

  const around = fc.constantFrom('', '!', ' please', ', robot', ' NOW', ' 🛑', '*', '…', '\n', ' right now');
  it('whatever is said around it, however often and loud', () => {
    const order = fc.constantFrom('stop', 'STOP', 'halt', 'Freeze', 'stop it', 'e-stop', "don't move");
    const said = fc.array(fc.tuple(around, order, around), { minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(said, (parts) => {
        expect(isStopOrder(parts.flat().join(' '))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('and nothing that says more than that', () => {
    const more = fc.constantFrom('at the door', 'left', 'cup', 'until noon', 'never', 'not', '2', 'forward');
    fc.assert(
      fc.property(fc.array(around), more, fc.boolean(), (parts, other, first) => {
        const order = `stop ${parts.join(' stop ')}`;
        expect(isStopOrder(first ? `${other} ${order}` : `${order} ${other}`)).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
});
