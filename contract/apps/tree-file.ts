/** Limits of one `flow.xml`. What is larger is refused before it is parsed. */
export const TREE_LIMITS = {
  BYTES_MAX: 256 * 1024,
  /** Elements of the file, comments left out. */
  ELEMENTS_MAX: 1_024,
  DEPTH_MAX: 48,
  ATTRIBUTES_MAX: 32,
  ATTRIBUTE_CHARS_MAX: 1_024,
  /** Nodes of the main tree with every subtree written out. */
  NODES_MAX: 512,
} as const;

/** One element of a `flow.xml`, as it is written. */
export type TreeElement = {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly TreeElement[];
  /** Where it starts, from 1. */
  readonly line: number;
};

/** What a `flow.xml` holds: BehaviorTree.CPP XML, version 4. */
export type TreeFile = { readonly root: TreeElement };
