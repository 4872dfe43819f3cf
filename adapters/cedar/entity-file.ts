import { EdgeError, parseJson } from '../../contract/core.ts';
import { NAMESPACE } from './cedar-request.ts';

/** People, roles and groups of the configuration: a fleet's directory, not a robot's. */
const ENTITIES_MAX = 50_000;
/** What one question may reach. */
const REACHED_MAX = 512;
const TYPES = ['User', 'Role', 'Group'].map((type) => `${NAMESPACE}::${type}`);

type Uid = { readonly type: string; readonly id: string };
type Entity = { readonly uid: Uid; readonly attrs: object; readonly parents: readonly Uid[] };

/**
 * `entities.json`: the roles of people, and the parents of entities. A question includes only the entities that it
 * reaches.
 */
export class EntityFile {
  readonly #known = new Map<string, Entity>();

  /** Throws `policy.invalid` with the file and the entry. */
  constructor(file: string, text: string) {
    if (text === '') return;
    const rows = parse(file, text);
    if (rows.length > ENTITIES_MAX) throw wrong(file, '', `${rows.length} entities, at most ${ENTITIES_MAX}`);
    for (const [index, row] of rows.entries()) {
      const entity = entityOf(row);
      if (typeof entity === 'string') throw wrong(file, `[${index}]`, entity);
      const key = keyOf(entity.uid);
      if (this.#known.has(key)) throw wrong(file, `[${index}]`, `${key} is defined twice`);
      this.#known.set(key, entity);
    }
    this.#refuseCircles(file);
  }

  get size(): number {
    return this.#known.size;
  }

  /** All ancestors of these. */
  reach(from: readonly Uid[]): readonly Entity[] {
    const found = new Map<string, Entity>();
    const open = [...from];
    for (let next = open.pop(); next; next = open.pop()) {
      const entity = this.#known.get(keyOf(next));
      if (!entity || found.has(keyOf(next))) continue;
      if (found.size >= REACHED_MAX)
        throw new EdgeError('policy.denied', {
          operation: 'judge',
          subject: from[0]?.id ?? '',
          message: `more than ${REACHED_MAX} entities are reached from ${from[0]?.id ?? ''}`,
        });
      found.set(keyOf(next), entity);
      open.push(...entity.parents);
    }
    return [...found.values()];
  }

  /** Cedar would refuse every question that reaches one, so it is reported at the load. */
  #refuseCircles(file: string): void {
    const state = new Map<string, 'open' | 'done'>();
    for (const start of this.#known.keys()) {
      const stack: { key: string; leave: boolean }[] = [{ key: start, leave: false }];
      for (let at = stack.pop(); at; at = stack.pop()) {
        if (at.leave) {
          state.set(at.key, 'done');
          continue;
        }
        if (state.get(at.key) === 'done') continue;
        if (state.get(at.key) === 'open') throw wrong(file, at.key, 'belongs to itself');
        state.set(at.key, 'open');
        stack.push({ key: at.key, leave: true });
        for (const parent of this.#known.get(at.key)?.parents ?? []) {
          const key = keyOf(parent);
          if (state.get(key) === 'open') throw wrong(file, key, 'belongs to itself');
          if (this.#known.has(key)) stack.push({ key, leave: false });
        }
      }
    }
  }
}

function parse(file: string, text: string): unknown[] {
  try {
    const value: unknown = parseJson(text);
    if (Array.isArray(value)) return value;
  } catch (thrown) {
    throw wrong(file, '', (thrown as Error).message);
  }
  throw wrong(file, '', 'expected a list of entities');
}

function entityOf(row: unknown): Entity | string {
  const { uid, attrs = {}, parents = [], ...rest } = (row ?? {}) as Record<string, unknown>;
  const stranger = Object.keys(rest)[0];
  if (stranger !== undefined) return `unknown key "${stranger}"; known keys: uid, attrs and parents`;
  const own = uidOf(uid);
  if (typeof own === 'string') return own;
  if (typeof attrs !== 'object' || attrs === null || Object.keys(attrs).length > 0)
    return 'attrs: expected an empty object, because roles and groups have no attributes';
  if (!Array.isArray(parents)) return 'parents: a list expected';
  const above: Uid[] = [];
  for (const parent of parents) {
    const one = uidOf(parent);
    if (typeof one === 'string') return `parents: ${one}`;
    const belongs = own.type.endsWith('::Group') ? 'Group' : 'Role';
    if (!one.type.endsWith(`::${belongs}`))
      return `parents: ${own.type} can have only ${belongs}s as parents`;
    above.push(one);
  }
  return { uid: own, attrs: {}, parents: above };
}

function uidOf(value: unknown): Uid | string {
  const plain = (value as { __entity?: unknown } | null)?.__entity ?? value;
  const { type, id } = (plain ?? {}) as { type?: unknown; id?: unknown };
  if (typeof type !== 'string' || typeof id !== 'string') return 'uid = {"type": ..., "id": ...} expected';
  if (!TYPES.includes(type)) return `type ${type}: expected one of ${TYPES.join(', ')}`;
  return id.length <= 257 && id.isWellFormed() ? { type, id } : 'id: expected text of at most 257 characters';
}

function keyOf({ type, id }: Uid): string {
  return `${type}::${JSON.stringify(id)}`;
}

function wrong(file: string, where: string, message: string): EdgeError {
  return new EdgeError('policy.invalid', {
    operation: 'load entities',
    subject: file,
    message: `${file}${where === '' ? '' : `: ${where}`}: ${message}`,
  });
}
