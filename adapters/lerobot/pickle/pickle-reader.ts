import { type Budget, refused } from './budget.ts';
import type { ByteSource } from './byte-source.ts';
import { callGlobal, findGlobal, mayBeMade } from './globals.ts';
import { buildArray } from './ndarray.ts';
import { OPCODES as OP, OPCODE_NAMES } from './opcodes.ts';
import type { Persistent, ReadContext } from './read-context.ts';
import { depthOf, isPy, type PyKey, type PyValue } from './values.ts';

/** Where MARK stands on the stack; never a value that can be taken from it. */
const MARK = Symbol('mark');
type Slot = PyValue | typeof MARK;

/**
 * One pickle, from where `source` stands to its STOP. A machine that knows the opcodes of a list and nothing else,
 * and for which a name is a name: nothing is imported, looked up or called but the pure functions of `globals.ts`.
 * Throws `wire.refused` naming opcode or global and the offset.
 */
export class PickleReader {
  readonly #source: ByteSource;
  readonly #budget: Budget;
  readonly #persistent: Persistent | undefined;
  readonly #mayCall: boolean;
  readonly #context: ReadContext;
  readonly #stack: Slot[] = [];
  readonly #memo = new Map<number, PyValue>();

  /** `inner`: a pickle inside of bytes. It holds plain values and ids, calls nothing and nests no further. */
  constructor(source: ByteSource, budget: Budget, inner?: { readonly persistent: Persistent | undefined }) {
    this.#source = source;
    this.#budget = budget;
    this.#persistent = inner?.persistent;
    this.#mayCall = inner === undefined;
    this.#context = {
      budget,
      nested: (bytes, persistent) => new PickleReader(bytes, budget, { persistent }).read(),
    };
  }

  read(): PyValue {
    for (;;) {
      const at = this.#source.at;
      const opcode = this.#source.u8();
      if (opcode === OP.STOP) return this.#end(at);
      this.#budget.spendOpcode(at);
      if (!this.#scalar(opcode) && !this.#container(opcode, at) && !this.#memoOrClass(opcode, at))
        throw refused(`opcode ${OPCODE_NAMES.get(opcode) ?? `0x${opcode.toString(16)}`} is not read`, at);
    }
  }

  #end(at: number): PyValue {
    const value = this.#pop(at);
    if (this.#stack.length > 0) throw refused('values are left when it ends', at);
    return value;
  }

  /** Opcodes that put one value on the stack, and those that only frame. */
  #scalar(opcode: number): boolean {
    const source = this.#source;
    switch (opcode) {
      case OP.PROTO: {
        const at = source.at;
        const version = source.u8();
        if (version < 2 || version > 5) throw refused(`protocol ${version} is not read`, at);
        return true;
      }
      case OP.FRAME:
        source.u64();
        return true;
      case OP.NONE:
        return this.#push(null);
      case OP.NEWTRUE:
        return this.#push(true);
      case OP.NEWFALSE:
        return this.#push(false);
      case OP.BININT:
        return this.#push(source.i32());
      case OP.BININT1:
        return this.#push(source.u8());
      case OP.BININT2:
        return this.#push(source.u16());
      case OP.LONG1:
        return this.#push(wholeNumber(source));
      case OP.BINFLOAT:
        return this.#push(source.f64());
      case OP.SHORT_BINUNICODE:
        return this.#push(source.text(source.u8()));
      case OP.BINUNICODE:
        return this.#push(source.text(source.u32()));
      case OP.BINUNICODE8:
        return this.#push(source.text(source.u64()));
      case OP.SHORT_BINBYTES:
        return this.#push(source.take(source.u8()));
      case OP.BINBYTES:
        return this.#push(source.take(source.u32()));
      case OP.BINBYTES8:
      case OP.BYTEARRAY8:
        return this.#push(source.take(source.u64()));
      default:
        return false;
    }
  }

  #container(opcode: number, at: number): boolean {
    switch (opcode) {
      case OP.MARK:
        this.#stack.push(MARK);
        return true;
      case OP.EMPTY_LIST:
        return this.#push({ py: 'list', depth: 1, items: [] });
      case OP.EMPTY_DICT:
        return this.#push({ py: 'dict', depth: 1, items: new Map() });
      case OP.EMPTY_TUPLE:
        return this.#tuple([], at);
      case OP.TUPLE1:
        return this.#tuple(this.#popMany(1, at), at);
      case OP.TUPLE2:
        return this.#tuple(this.#popMany(2, at), at);
      case OP.TUPLE3:
        return this.#tuple(this.#popMany(3, at), at);
      case OP.TUPLE:
        return this.#tuple(this.#popToMark(at), at);
      case OP.APPEND:
        return this.#append([this.#pop(at)], at);
      case OP.APPENDS:
        return this.#append(this.#popToMark(at), at);
      case OP.SETITEM:
        return this.#setItems(this.#popMany(2, at), at);
      case OP.SETITEMS:
        return this.#setItems(this.#popToMark(at), at);
      default:
        return false;
    }
  }

  #memoOrClass(opcode: number, at: number): boolean {
    const source = this.#source;
    switch (opcode) {
      case OP.MEMOIZE:
        return this.#remember(this.#memo.size, at);
      case OP.BINPUT:
        return this.#remember(source.u8(), at);
      case OP.LONG_BINPUT:
        return this.#remember(source.u32(), at);
      case OP.BINGET:
        return this.#recall(source.u8(), at);
      case OP.LONG_BINGET:
        return this.#recall(source.u32(), at);
      case OP.GLOBAL: {
        const module = source.line();
        return this.#push(findGlobal(module, source.line(), at));
      }
      case OP.STACK_GLOBAL: {
        const [module, name] = this.#popMany(2, at);
        if (typeof module !== 'string' || typeof name !== 'string')
          throw refused('a global whose name is no text', at);
        return this.#push(findGlobal(module, name, at));
      }
      case OP.REDUCE: {
        if (!this.#mayCall) throw refused('opcode REDUCE is not read in an archive', at);
        const [callee, args] = this.#popMany(2, at) as [PyValue, PyValue];
        if (!isPy(callee, 'global') || !isPy(args, 'tuple'))
          throw refused('a call of something that has no name', at);
        return this.#push(callGlobal(callee, args.items, this.#context, at));
      }
      case OP.NEWOBJ: {
        if (!this.#mayCall) throw refused('opcode NEWOBJ is not read in an archive', at);
        const [type, args] = this.#popMany(2, at) as [PyValue, PyValue];
        if (!isPy(type, 'global') || !mayBeMade(type)) throw refused('an object of a class not listed', at);
        if (!isPy(args, 'tuple') || args.items.length > 0) throw refused('an object with arguments', at);
        return this.#push({ py: 'object', type, depth: 1, fields: new Map() });
      }
      case OP.BUILD:
        return this.#build(at);
      case OP.BINPERSID:
        if (!this.#persistent) throw refused('opcode BINPERSID is not read', at);
        return this.#push(this.#persistent(this.#pop(at)));
      default:
        return false;
    }
  }

  #push(value: PyValue): true {
    this.#stack.push(value);
    return true;
  }

  #pop(at: number): PyValue {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw refused('the stack is empty', at);
    return value as PyValue;
  }

  #peek(at: number): PyValue {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw refused('the stack is empty', at);
    return value as PyValue;
  }

  #popMany(count: number, at: number): PyValue[] {
    const from = this.#stack.length - count;
    for (let i = Math.max(0, from); i < this.#stack.length; i++)
      if (this.#stack[i] === MARK) throw refused('the stack is empty', at);
    if (from < 0) throw refused('the stack is empty', at);
    return this.#stack.splice(from) as PyValue[];
  }

  #popToMark(at: number): PyValue[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw refused('no MARK before it', at);
    const values = this.#stack.splice(mark) as PyValue[];
    values.shift();
    return values;
  }

  #tuple(items: readonly PyValue[], at: number): true {
    const depth = 1 + deepest(items);
    this.#budget.checkDepth(depth, at);
    return this.#push({ py: 'tuple', depth, items });
  }

  #append(values: readonly PyValue[], at: number): true {
    const list = this.#peek(at);
    if (!isPy(list, 'list')) throw refused('items for something that is no list', at);
    this.#deepen(list, values, at);
    for (const value of values) list.items.push(value);
    return true;
  }

  #setItems(pairs: readonly PyValue[], at: number): true {
    const dict = this.#peek(at);
    if (!isPy(dict, 'dict')) throw refused('items for something that is no dict', at);
    if (pairs.length % 2 !== 0) throw refused('a key without a value', at);
    this.#deepen(dict, pairs, at);
    for (let i = 0; i < pairs.length; i += 2) dict.items.set(keyOf(pairs[i]!, at), pairs[i + 1]!);
    return true;
  }

  /** The state of an object: its fields. Of an array: its elements. */
  #build(at: number): true {
    const state = this.#pop(at);
    const target = this.#peek(at);
    if (isPy(target, 'ndarray')) return buildArray(target, state, this.#budget, at);
    // numpy gives its dtypes a state that says nothing but the byte order, which was in the name.
    if (isPy(target, 'dtype')) return checkDtypeState(state, at);
    if (!isPy(target, 'object')) throw refused('a state for something that has none', at);
    if (!isPy(state, 'dict')) throw refused('a state that is no dict', at);
    this.#deepen(target, [state], at);
    for (const [key, value] of state.items) {
      if (typeof key !== 'string') throw refused('a field whose name is no text', at);
      target.fields.set(key, value);
    }
    return true;
  }

  #deepen(container: { depth: number }, values: readonly PyValue[], at: number): void {
    container.depth = Math.max(container.depth, 1 + deepest(values));
    this.#budget.checkDepth(container.depth, at);
  }

  #remember(index: number, at: number): true {
    if (this.#memo.size >= this.#budget.limits.memoMax)
      throw refused(`more than ${this.#budget.limits.memoMax} remembered values`, at);
    this.#memo.set(index, this.#peek(at));
    return true;
  }

  #recall(index: number, at: number): true {
    const value = this.#memo.get(index);
    if (value === undefined) throw refused(`nothing was remembered as ${index}`, at);
    return this.#push(value);
  }
}

function deepest(values: readonly PyValue[]): number {
  let depth = 0;
  for (const value of values) depth = Math.max(depth, depthOf(value));
  return depth;
}

function keyOf(value: PyValue, at: number): PyKey {
  if (value === null || typeof value !== 'object') return value;
  throw refused('a key that is neither text nor number', at);
}

function checkDtypeState(state: PyValue, at: number): true {
  if (!isPy(state, 'tuple')) throw refused('a dtype with an odd state', at);
  const [, order, ...rest] = state.items;
  if (order !== '|' && order !== '<' && order !== '=') throw refused('elements that are big-endian', at);
  if (rest.slice(0, 3).some((part) => part !== null)) throw refused('a dtype of records', at);
  return true;
}

/** No number of the wire has more than 80 bits. */
const LONG_BYTES_MAX = 16;

/** Little-endian two's complement, as many bytes as it takes. */
function wholeNumber(source: ByteSource): number | bigint {
  const at = source.at;
  const bytes = source.take(source.u8());
  if (bytes.length > LONG_BYTES_MAX) throw refused(`a number of ${bytes.length} bytes`, at);
  if (bytes.length === 0) return 0;
  // One conversion, not one per byte: a pickle may hold a hundred thousand of them.
  const unsigned = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  const value = BigInt.asIntN(8 * bytes.length, unsigned);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
