import { isAlias, isCollection, isNode, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml';

export type PlainYaml =
  | { readonly ok: true; readonly value: unknown; lineOf(path: readonly string[]): number | undefined }
  | { readonly ok: false; readonly line: number | undefined; readonly problem: string };

/** A YAML 1.2 text of maps, lists and plain values. Anchors, aliases and tags are refused. Never throws. */
export function parsePlainYaml(text: string): PlainYaml {
  const counter = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: counter,
      version: '1.2',
      strict: true,
      uniqueKeys: true,
      merge: false,
      prettyErrors: false,
    });
    const fault = document.errors[0] ?? document.warnings[0];
    if (fault) return { ok: false, line: counter.linePos(fault.pos[0]).line, problem: fault.message };
    let strange: Node | undefined;
    visit(document, (_key, node) => {
      if (!isNode(node)) return undefined;
      const tagged =
        (isCollection(node) || isScalar(node)) &&
        (node.anchor !== undefined || node.tag?.startsWith('!') === true);
      if (!isAlias(node) && !tagged) return undefined;
      strange = node;
      return visit.BREAK;
    });
    const lineOfNode = (node: unknown) =>
      isNode(node) && node.range ? counter.linePos(node.range[0]).line : undefined;
    if (strange)
      return {
        ok: false,
        line: lineOfNode(strange),
        problem: 'anchors, aliases and tags are not allowed',
      };
    return {
      ok: true,
      value: document.toJS({ maxAliasCount: 0 }) as unknown,
      lineOf(path) {
        for (let length = path.length; length > 0; length--) {
          const keys = path.slice(0, length).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
          const line = lineOfNode(document.getIn(keys, true));
          if (line !== undefined) return line;
        }
        return undefined;
      },
    };
  } catch (thrown) {
    return { ok: false, line: undefined, problem: (thrown as Error).message };
  }
}
