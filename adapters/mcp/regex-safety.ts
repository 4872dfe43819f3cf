/** How much a bounded repeat may repeat before it counts as an unbounded one. */
const BOUNDED_MAX = 64;
const LENGTH_MAX = 512;
const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

/** The cost that a pattern may have: texts up to `textMax` characters are matched within some ten million steps. */
export type PatternVerdict =
  | { readonly ok: true; readonly textMax: number }
  | { readonly ok: false; readonly reason: string };

type Atom = { readonly source: string; readonly min: number; readonly max: number; readonly group?: Group };
type Group = { readonly branches: readonly (readonly Atom[])[] };

/**
 * Judges an untrusted regular expression without running it. JavaScript backtracks: a repeat within a
 * repeat can take 2^n steps, k repeats after one another n^k. Refused: back references, lookarounds, and repeats of
 * groups that can match in two ways. The slug `[a-z]+(-[a-z]+)*` is known to be harmless: each turn starts with a
 * character that cannot stand elsewhere in it.
 */
export function judgePattern(pattern: string): PatternVerdict {
  if (pattern.length > LENGTH_MAX) return refused(`is longer than ${LENGTH_MAX} characters`);
  try {
    new RegExp(pattern, 'u');
  } catch {
    return refused('is no regular expression');
  }
  let group: Group;
  try {
    group = new Reader(pattern).read();
  } catch (fault) {
    return refused((fault as Error).message);
  }
  const fault = ambiguity(group);
  if (fault !== undefined) return refused(fault);
  // Bounded repeats after one another multiply: `a?` thirty times is 2^30 ways.
  const ways = choices(group);
  if (ways > BOUNDED_MAX ** 3) return refused('has too many bounded repeats beside each other');
  const bounded = ways > BOUNDED_MAX ** 2 ? 2 : ways > BOUNDED_MAX ? 1 : 0;
  const power = degree(group) + bounded + (pattern.startsWith('^') ? 0 : 1);
  if (power <= 1) return { ok: true, textMax: 1 << 20 };
  if (power === 2) return { ok: true, textMax: 4_096 };
  if (power === 3) return { ok: true, textMax: 256 };
  return refused('has too many unbounded repeats beside each other');
}

function refused(reason: string): PatternVerdict {
  return { ok: false, reason };
}

/** Number of unbounded repeats after one another in the worst branch. */
function degree(group: Group): number {
  const of = (atom: Atom): number => (atom.max > BOUNDED_MAX ? 1 : 0) + (atom.group ? degree(atom.group) : 0);
  return Math.max(0, ...group.branches.map((atoms) => atoms.reduce((sum, atom) => sum + of(atom), 0)));
}

/** Ways in which the bounded repeats of the worst branch can share a text. */
function choices(group: Group): number {
  const of = ({ min, max, group: inner }: Atom): number =>
    (max > BOUNDED_MAX ? 1 : max - min + 1) * (inner ? choices(inner) : 1);
  const ways = group.branches.map((atoms) => atoms.reduce((product, atom) => product * of(atom), 1));
  return ways.reduce((sum, one) => sum + one, 0);
}

/** A repeated group that can match the same text in two ways; undefined where no group is ambiguous. */
function ambiguity(group: Group): string | undefined {
  for (const atom of group.branches.flat()) {
    if (!atom.group) continue;
    const inner = ambiguity(atom.group);
    if (inner !== undefined) return inner;
    if (atom.max <= 1) continue;
    const { branches } = atom.group;
    if (branches.length > 1) return 'repeats a choice';
    const atoms = branches[0]!;
    const varies = atoms.some((one) => one.group !== undefined || one.min !== one.max);
    if (varies && !marked(atoms)) return 'repeats what repeats';
  }
  return undefined;
}

/** Each turn starts with one character that none of the rest can match. */
function marked([first, ...rest]: readonly Atom[]): boolean {
  if (!first || first.group || first.min !== 1 || first.max !== 1) return false;
  if (rest.some((atom) => atom.group !== undefined)) return false;
  const begin = new RegExp(`^${first.source}$`, 'u');
  const others = rest.map((atom) => new RegExp(`^${atom.source}$`, 'u'));
  // Beyond ASCII the classes cannot be compared: there the mark must not match at all.
  if (begin.test('\u00e9') || begin.test('\u4e2d')) return false;
  const marks = ASCII.filter((character) => begin.test(character));
  return marks.length > 0 && marks.every((mark) => !others.some((other) => other.test(mark)));
}

/** Reads a pattern, known to be valid, into its repeats. Throws for anything unsupported. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Group {
    const group = this.#choice();
    if (this.#at < this.#text.length) throw new Error('is not understood');
    return group;
  }

  #choice(): Group {
    const branches: Atom[][] = [[]];
    for (;;) {
      const next = this.#text[this.#at];
      if (next === undefined || next === ')') return { branches };
      if (next === '|') {
        this.#at++;
        branches.push([]);
      } else if (next === '^' || next === '$') this.#at++;
      else branches.at(-1)!.push(this.#atom());
    }
  }

  #atom(): Atom {
    const from = this.#at;
    let group: Group | undefined;
    const next = this.#text[this.#at]!;
    if (next === '(') group = this.#group();
    else if (next === '[') this.#class();
    else if (next === '\\') this.#escape();
    else this.#at += next >= '\ud800' && next <= '\udbff' ? 2 : 1;
    const source = this.#text.slice(from, this.#at);
    const [min, max] = this.#repeat();
    return group ? { source, min, max, group } : { source, min, max };
  }

  #group(): Group {
    this.#at++;
    if (this.#text[this.#at] === '?') {
      const named = /^\?<[A-Za-z_$][\w$]*>/.exec(this.#text.slice(this.#at));
      if (named) this.#at += named[0].length;
      else if (this.#text.startsWith('?:', this.#at)) this.#at += 2;
      else throw new Error('looks around');
    }
    const group = this.#choice();
    this.#at++;
    return group;
  }

  #class(): void {
    this.#at++;
    while (this.#text[this.#at] !== ']') this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    this.#at++;
  }

  #escape(): void {
    const rest = this.#text.slice(this.#at);
    if (/^\\(?:[1-9]|k<)/.test(rest)) throw new Error('refers back');
    const long = /^\\(?:u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[pP]\{[^}]*\}|c[A-Za-z])/.exec(
      rest,
    );
    this.#at += long ? long[0].length : 2;
  }

  #repeat(): [number, number] {
    const match = /^(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/.exec(this.#text.slice(this.#at));
    if (!match) return [1, 1];
    this.#at += match[0].length;
    const [, sign, min, comma, max] = match;
    if (sign !== undefined) return sign === '?' ? [0, 1] : [sign === '+' ? 1 : 0, Number.POSITIVE_INFINITY];
    if (comma === undefined) return [Number(min), Number(min)];
    return [Number(min), max === '' || max === undefined ? Number.POSITIVE_INFINITY : Number(max)];
  }
}
