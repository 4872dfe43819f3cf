import { TREE_LIMITS, type TreeElement, type TreeFile } from '../../../contract/apps/index.ts';
import type { JsonValue } from '../../../contract/index.ts';
import type { Leaf } from './leaf.ts';
import { codeFault, keyOfCode } from './plain-leaves.ts';
import { type Binding, keyIn, type Port, type Ports, portFault, typed } from './ports.ts';
import { adviceOn, innerOf, leafOf } from './vocabulary.ts';

export type TreeFault = { readonly line: number; readonly key: string; readonly problem: string };

/** A node of the tree with its subtrees written out. */
export type TreeNode = {
  /** Unique in the tree: also the name of its state. */
  readonly id: string;
  /** `Sequence`, `Spin`, `robot.look`. */
  readonly kind: string;
  readonly line: number;
  readonly ports: Readonly<Record<string, Binding>>;
  readonly leaf: Leaf | undefined;
  readonly children: readonly TreeNode[];
  /** In words, for the drawing. */
  readonly about: string;
};

export type Expanded = {
  readonly root: TreeNode | undefined;
  readonly faults: readonly TreeFault[];
  /** What is taken and does less than its name says. */
  readonly notes: readonly TreeFault[];
  /** Keys that a node writes, and those that one reads, with a node that does. */
  readonly written: ReadonlySet<string>;
  readonly read: ReadonlyMap<string, { readonly line: number; readonly key: string }>;
};

/** The blackboard of one subtree: its own keys, and those that its ports lead to. */
type Scope = {
  readonly parent: Scope | undefined;
  readonly prefix: string;
  readonly ports: ReadonlyMap<string, Binding>;
  readonly shared: boolean;
};

const SUBTREES_MAX = 12;
const TREE_PORTS = ['ID', 'name', '__shared_blackboard', '_autoremap'];
/** Reserved: the states that end the run. */
export const ENDS = { ok: 'succeeded', bad: 'failed' } as const;

/** Writes the main tree out: subtrees, ports, names. Pure. */
export function expandTree({ root }: TreeFile): Expanded {
  const expansion = new Expansion(root);
  return { root: expansion.main(), ...expansion };
}

class Expansion {
  readonly faults: TreeFault[] = [];
  readonly notes: TreeFault[] = [];
  readonly written = new Set<string>();
  readonly read = new Map<string, { readonly line: number; readonly key: string }>();
  readonly #root: TreeElement;
  readonly #trees = new Map<string, TreeElement>();
  readonly #ids = new Set<string>(Object.values(ENDS));
  readonly #noted = new Set<string>();
  #nodes = 0;

  constructor(root: TreeElement) {
    this.#root = root;
  }

  main(): TreeNode | undefined {
    const { BTCPP_format: format, main_tree_to_execute: main } = this.#root.attributes;
    if (format !== '4')
      this.#fault(
        this.#root,
        `BTCPP_format="4" is expected, found ${format === undefined ? 'none' : `"${format}"`}`,
      );
    for (const element of this.#root.children) {
      const { tag, attributes } = element;
      if (tag === 'TreeNodesModel') continue;
      if (tag !== 'BehaviorTree') {
        const why =
          tag === 'include' ? 'other files are not read: write their trees here' : 'BehaviorTree is expected';
        this.#fault(element, why);
        continue;
      }
      const { ID: id } = attributes;
      if (id === undefined) this.#fault(element, 'ID is missing');
      else if (this.#trees.has(id)) this.#fault(element, `ID "${id}" is there twice`);
      else this.#trees.set(id, element);
    }
    const names = [...this.#trees.keys()];
    const first = main ?? (names.length === 1 ? names[0] : undefined);
    const tree = first === undefined ? undefined : this.#trees.get(first);
    if (!tree) {
      const words =
        main === undefined
          ? 'main_tree_to_execute is missing'
          : `main_tree_to_execute "${main}" is not a tree`;
      this.#fault(this.#root, `${words}: ${names.join(', ') || 'there are no trees'}`);
      return undefined;
    }
    return this.#treeOf(tree, { parent: undefined, prefix: '', ports: new Map(), shared: false }, [first!]);
  }

  #treeOf(tree: TreeElement, scope: Scope, path: readonly string[]): TreeNode | undefined {
    const [child, ...more] = tree.children;
    if (!child || more.length > 0) {
      this.#fault(tree, `has one child, found ${tree.children.length}`);
      return undefined;
    }
    return this.#nodeOf(child, scope, path);
  }

  #nodeOf(element: TreeElement, scope: Scope, path: readonly string[]): TreeNode | undefined {
    if (++this.#nodes > TREE_LIMITS.NODES_MAX) {
      if (this.#nodes === TREE_LIMITS.NODES_MAX + 1)
        this.#fault(
          element,
          `with every subtree written out there are more than ${TREE_LIMITS.NODES_MAX} nodes`,
        );
      return undefined;
    }
    const { tag, attributes } = element;
    if (tag === 'SubTree' || tag === 'SubTreePlus') return this.#subTree(element, scope, path);
    const isNamed = ['Action', 'Condition', 'Control', 'Decorator'].includes(tag);
    const kind = isNamed ? (attributes['ID'] ?? '') : tag;
    if (isNamed && kind === '') {
      this.#fault(element, 'ID is missing: which node it is');
      return undefined;
    }
    if (this.#trees.has(kind) && !innerOf(kind) && !leafOf(kind)) {
      this.#fault(element, `is a tree of this file; write <SubTree ID="${kind}"/>`);
      return undefined;
    }
    const leaf = leafOf(kind);
    const inner = innerOf(kind);
    if (!leaf && !inner) {
      this.#fault(element, `${isNamed ? `ID "${kind}" ` : ''}is not known here; ${adviceOn(kind)}`);
      return undefined;
    }
    const id = this.#unique(attributes['name'] ?? kind);
    const given = Object.entries(attributes).filter(
      ([name]) => name !== 'name' && !(isNamed && name === 'ID'),
    );
    const ports =
      leaf?.tools && kind.includes('.') && leaf.ports['result']
        ? this.#argsOf(element, given, scope)
        : this.#portsOf(element, given, leaf ?? inner!, scope);
    const [min, max] = inner?.children ?? [0, 0];
    if (element.children.length < min || element.children.length > max)
      this.#fault(
        element,
        `has ${min === max ? min : `${min} to ${max}`} ${max === 1 ? 'child' : 'children'}, found ${element.children.length}`,
      );
    const note = leaf?.note ?? inner?.note;
    if (note !== undefined && !this.#noted.has(kind)) {
      this.#noted.add(kind);
      this.notes.push({ line: element.line, key: `<${kind}>`, problem: note });
    }
    const children = element.children.flatMap((one) => this.#nodeOf(one, scope, path) ?? []);
    return { id, kind, line: element.line, ports, leaf, children, about: aboutOf(kind, given) };
  }

  #subTree(element: TreeElement, scope: Scope, path: readonly string[]): TreeNode | undefined {
    const { ID: id = '', _autoremap: auto, __shared_blackboard: all } = element.attributes;
    const tree = this.#trees.get(id);
    if (element.children.length > 0)
      this.#fault(element, 'has no children here: they are in its BehaviorTree');
    if (!tree) {
      this.#fault(element, `"${id}" is not a tree of this file: ${[...this.#trees.keys()].join(', ')}`);
      return undefined;
    }
    if (path.includes(id) || path.length >= SUBTREES_MAX) {
      const why = path.includes(id)
        ? `contains itself: ${[...path, id].join(' > ')}`
        : `nests more than ${SUBTREES_MAX} trees`;
      this.#fault(element, why);
      return undefined;
    }
    const ports = new Map(
      Object.entries(element.attributes)
        .filter(([name]) => !TREE_PORTS.includes(name))
        .map(([name, text]): [string, Binding] => [
          name,
          this.#bindingOf(text === '{=}' ? `{${name}}` : text, scope),
        ]),
    );
    const shared = [auto, all].some((one) => one === 'true' || one === '1');
    const prefix = `${scope.prefix}${this.#unique(element.attributes['name'] ?? id)}__`;
    return this.#treeOf(tree, { parent: scope, prefix, ports, shared }, [...path, id]);
  }

  #portsOf(
    element: TreeElement,
    given: readonly (readonly [string, string])[],
    { ports, ignored = [] }: { readonly ports: Ports; readonly ignored?: readonly string[] },
    scope: Scope,
  ): Readonly<Record<string, Binding>> {
    const known = Object.keys(ports);
    const found: [string, Binding][] = [];
    for (const [name, text] of given) {
      if (name.startsWith('_')) {
        this.#fault(element, `${name} is not read; write a condition as a node, such as ScriptCondition`);
        continue;
      }
      if (ignored.includes(name)) continue;
      const port = Object.hasOwn(ports, name) ? ports[name] : undefined;
      if (!port) {
        this.#fault(element, `${name} is not a port: ${known.join(', ') || 'it has none'}`);
        continue;
      }
      found.push([name, this.#portOf(element, name, text, port, scope)]);
    }
    for (const [name, { required }] of Object.entries(ports))
      if (required && !given.some(([own]) => own === name)) this.#fault(element, `${name} is missing`);
    return Object.fromEntries(found);
  }

  #portOf(element: TreeElement, name: string, text: string, port: Port, scope: Scope): Binding {
    // SetBlackboard and its like name a key with or without braces.
    const braced = name === 'output_key' && keyIn(text) === undefined ? `{${text}}` : text;
    const binding = this.#bindingOf(braced, scope);
    if (port.out) {
      if ('key' in binding) this.written.add(binding.key);
      else this.#fault(element, `${name} is written: expected a key such as {${name}}, found "${text}"`);
      return binding;
    }
    if ('key' in binding) {
      // What the node can do without need not be there.
      if (port.required) this.#reads(binding.key, element);
      return binding;
    }
    if (element.tag === 'ScriptCondition' || element.attributes['ID'] === 'ScriptCondition') {
      const wrong = codeFault(text);
      const key = keyOfCode(text);
      if (wrong !== undefined) this.#fault(element, wrong);
      else if (key !== undefined) this.#reads(this.#keyOf(key, scope), element);
      return { value: key === undefined ? text : this.#rescoped(text, key, scope) };
    }
    const wrong = portFault(port, binding.value);
    if (wrong !== undefined) this.#fault(element, `${name}: ${wrong}`);
    return port.type === 'text' ? { value: text } : binding;
  }

  /** Arguments of a tool. */
  #argsOf(
    element: TreeElement,
    given: readonly (readonly [string, string])[],
    scope: Scope,
  ): Readonly<Record<string, Binding>> {
    return Object.fromEntries(
      given.map(([name, text]) => {
        if (name.startsWith('_')) this.#fault(element, `${name} is not read; write a condition as a node`);
        if (name === 'result')
          return [name, this.#portOf(element, name, text, { type: 'any', out: true }, scope)];
        // `name` is the name of the node; arg.name is an argument of this name.
        return [
          `*${name.replace(/^arg\./, '')}`,
          this.#portOf(element, name, text, { type: 'any', required: true }, scope),
        ];
      }),
    );
  }

  #bindingOf(text: string, scope: Scope): Binding {
    const key = keyIn(text);
    if (key === undefined) return { value: typed(text) };
    return this.#resolved(key, scope);
  }

  /** Where a key of a subtree leads. */
  #resolved(key: string, scope: Scope): Binding {
    if (key.startsWith('@')) return { key: key.slice(1) };
    const mapped = scope.ports.get(key);
    if (mapped) return mapped;
    if (scope.shared && scope.parent) return this.#resolved(key, scope.parent);
    return { key: `${scope.prefix}${key}` };
  }

  #keyOf(key: string, scope: Scope): string {
    const found = this.#resolved(key, scope);
    return 'key' in found ? found.key : `${scope.prefix}${key}`;
  }

  #rescoped(code: string, key: string, scope: Scope): JsonValue {
    const own = this.#keyOf(key, scope);
    return own === key ? code : `${own}${code.trim().slice(key.length)}`;
  }

  #reads(key: string, { line, tag }: TreeElement): void {
    if (!this.read.has(key)) this.read.set(key, { line, key: `<${tag}>` });
  }

  #unique(name: string): string {
    const plain = name
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_')
      .replace(/^_+|_+$/g, '')
      .slice(0, 32);
    const base = /^[a-z]/.test(plain) ? plain : `node_${plain}`;
    let id = base;
    for (let n = 2; this.#ids.has(id); n++) id = `${base}_${n}`;
    this.#ids.add(id);
    return id;
  }

  #fault({ line, tag }: TreeElement, problem: string): void {
    this.faults.push({ line, key: `<${tag}>`, problem });
  }
}

function aboutOf(kind: string, given: readonly (readonly [string, string])[]): string {
  return [kind, ...given.map(([name, text]) => `${name}=${text}`)].join(' ').slice(0, 120);
}
