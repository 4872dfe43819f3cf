/**
 * Words that are an order to stop and nothing else: "Stop!", "please stop the robot", "no no no stop". Every door through
 * which a person speaks asks here: words that are planned, messages to runs, the chat of the command line. Pure.
 */
import { LIMITS } from './limits.ts';

/** How often, how politely and in what tone it is said: changes nothing, before, between and after. */
const AROUND = phrases(
  'no, nope, wait, please, pls, plz, now, robot, hey, hello, hi, ok, okay, oh, just, and, quick, quickly, fast, thanks',
  'immediately, asap, at once, right now, right away, this instant, thank you, for me, for gods sake, omg, ffs',
  'damn, dammit, fuck, fucking, can you, could you, would you, will you, you must, you have to, you need to',
  'i want you to, id like you to, i said, i say',
  'bitte, sofort, nein, por favor, sil vous plaît, sil te plaît, non, per favore, пожалуйста',
);
const HALTS = ['stop', 'halt', 'freeze', 'abort'];
/** What is stopped: all that moves, and nothing that an agent holds, reads or says. */
const MOTION =
  'it, that, this, there, here, everything, all, moving, driving, turning, going, rotating, spinning, exploring, ' +
  'motion, all motion, the motion, movement, all movement, your movement, the motors, all motors, the wheels, the robot, ' +
  'the robot arm, the arm, your arm, the base, the mission, mission, the run, what you are doing, ' +
  'what youre doing, where you are';
const ORDERS = phrases(
  ...HALTS,
  ...HALTS.flatMap((verb) => MOTION.split(', ').map((what) => `${verb} ${what}`)),
  'whoa, estop, e stop, emergency stop, all stop, full stop, stand still, stay still, stay put, stay where you are',
  'dont move, do not move, come to a stop, come to a halt',
  'alto, detente, arrête, arrêtez, arrete, arretez, anhalten, stehen bleiben, bleib stehen, halte, fermo, fermati, ' +
    'стоп, стой, 停, 停止, 停下, 停下来, 止まれ, ストップ, 멈춰',
);
/** Orders to stop only where nothing else is said: "hold it for me" and "please stay there" are about an object. */
const BARE = phrases('hold it, hold it right there, hold it there, stay there, stay right there');
const WITH_BARE = phrases('no, now, hey, robot, wait');

const WORD = /[\p{L}\p{M}]+/gu;
/** "stoooop", "STOPP", "stopstopstop". */
const DRAWN_OUT = /^(?:sto+p+)+$/u;

/** Whether the words are an order to stop and nothing else. Punctuation, marks of emphasis and emoji do not count. */
export function isStopOrder(words: string): boolean {
  // No door takes such words, and looking at them would hold up what else there is to do.
  if (words.length > LIMITS.RUN_MESSAGE_CHARS_MAX) return false;
  const plain = words
    .normalize('NFKC')
    .toLowerCase()
    .replace(/🛑/gu, ' stop ')
    .replace(/\p{Emoji_Presentation}|\u200d|\ufe0f|\u20e3/gu, ' ')
    .replace(/['’`]/gu, '')
    .replace(/![!1]+/gu, '! ');
  if (/\p{N}/u.test(plain)) return false;
  const said = spelled(plain.match(WORD) ?? []).map((word) => (DRAWN_OUT.test(word) ? 'stop' : word));
  return isOrder(said, ORDERS, AROUND) || isOrder(said, BARE, WITH_BARE);
}

/** "s t o p" and "S.T.O.P." are one word. */
function spelled(words: readonly string[]): readonly string[] {
  const isSpelled = words.length > 1 && words.every((word) => /^[a-z]$/u.test(word));
  return isSpelled ? [words.join('')] : words;
}

type Phrases = ReadonlyMap<string, readonly (readonly string[])[]>;

/** Whether orders and what may stand around them cover all the words, with one order at least. */
function isOrder(words: readonly string[], orders: Phrases, around: Phrases): boolean {
  /** Of each position: 1 reached, 2 reached with an order. */
  const reached = new Uint8Array(words.length + 1);
  reached[0] = 1;
  for (let at = 0; at < words.length; at++) {
    const now = reached[at]!;
    if (now === 0) continue;
    for (const length of lengthsAt(words, at, around))
      reached[at + length] = Math.max(reached[at + length]!, now);
    for (const length of lengthsAt(words, at, orders)) reached[at + length] = 2;
  }
  return reached[words.length] === 2;
}

function lengthsAt(words: readonly string[], at: number, all: Phrases): readonly number[] {
  const starting = all.get(words[at]!) ?? [];
  return starting.flatMap((one) => (one.every((word, i) => words[at + i] === word) ? one.length : []));
}

/** By their first word. */
function phrases(...lists: readonly string[]): Phrases {
  const byFirst = new Map<string, string[][]>();
  for (const phrase of lists.join(', ').split(', ')) {
    const words = phrase.normalize('NFKC').split(' ');
    byFirst.set(words[0]!, [...(byFirst.get(words[0]!) ?? []), words]);
  }
  return byFirst;
}
