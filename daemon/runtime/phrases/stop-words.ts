import { matched } from './match.ts';
import { type Pattern, readTemplate } from './template.ts';
import { tokensOf, trimmed } from './tokens.ts';

/** The daemon's own: no package can add a motion that is done at once, or take one of these away. */
const ORDER =
  '(stop|halt|freeze|whoa|abort|stop it|stop that|stop there|stop everything|stop all|hold it|stand still|' +
  'stay still|stay there|stop (moving|driving|turning|going|rotating|spinning|exploring)|dont move|do not move|' +
  'emergency stop|estop|e stop|' +
  'stop right (now|there|away)|stop (immediately|at once)|stop the robot|stop what you are doing|come to a (stop|halt))';
/** Said so often, in a sentence of the longest kind. */
const TIMES_MAX = 48;
/** What people say before it and between. */
const BETWEEN = '[no|please|now|robot]';
const nothing = { choices: () => [], places: [] };
const pattern = stopPattern();

/** Whether the words are an order to stop and nothing else, in English: "Stop!", "halt, please". Pure. */
export function isStopWish(words: string): boolean {
  const tokens = tokensOf(words);
  return trimmed(tokens ?? []).some((said) => matched(pattern, said, {}, nothing).length > 0);
}

function stopPattern(): Pattern {
  const read = readTemplate(`${BETWEEN} ${ORDER}`);
  if (!read.ok) throw new Error(read.problem);
  const again: Pattern = { is: 'choice', of: [{ is: 'list', of: [] }, read.pattern] };
  return { is: 'list', of: [read.pattern, ...Array.from({ length: TIMES_MAX - 1 }, () => again)] };
}
