import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { EdgeError } from '../../contract/edge-error.ts';
import type { Vector } from './model.ts';

/** Elements of a URDF and their values. What is wrong is refused with `schema.invalid` and the name of the element. */

/** A URDF names meshes, it does not hold them: an arm has some 20 KiB. */
export const URDF_BYTES_MAX = 4 * 1024 * 1024;
const XACRO_HINT = 'expand it first: xacro robot.urdf.xacro > robot.urdf';

export type Node = Readonly<Record<string, unknown>>;

export function robotOf(text: string): Node {
  if (text.length > URDF_BYTES_MAX) throw bad('robot', `above ${URDF_BYTES_MAX} characters`);
  // Entities of a document type can be made to grow without end, and no URDF needs one.
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) throw bad('robot', 'a document type is not read');
  const valid = XMLValidator.validate(text);
  if (valid !== true) throw bad('robot', `no XML: ${valid.err.msg} (line ${valid.err.line})`);
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseAttributeValue: false,
    parseTagValue: false,
    processEntities: false,
    isArray: (tag) => tag === 'link' || tag === 'joint',
  });
  const robot = (parser.parse(text) as Node)['robot'];
  if (typeof robot !== 'object' || robot === null || Array.isArray(robot))
    throw bad(
      'robot',
      'no element <robot>',
      'a URDF is expected, for example the text of /robot_description',
    );
  if (/<xacro:|\$\{|\$\(/.test(text))
    throw bad('robot', 'this is xacro, a program that makes a URDF', XACRO_HINT);
  return robot as Node;
}

export function list(node: Node, tag: string): readonly Node[] {
  const found = node[tag];
  // Elements without attributes come as text.
  return (Array.isArray(found) ? found : found === undefined ? [] : [found]).map((one) =>
    typeof one === 'object' && one !== null ? one : {},
  );
}

export function child(node: Node, tag: string): Node | undefined {
  const found = node[tag];
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Node) : undefined;
}

export function attribute(node: Node | undefined, key: string): string | undefined {
  const found = node?.[`@${key}`];
  return typeof found === 'string' ? found : undefined;
}

export function name(node: Node, tag: string): string {
  const called = attribute(node, 'name');
  if (called === undefined || called === '' || called.length > 256) throw bad(tag, `a <${tag}> has no name`);
  return called;
}

export function vector(text: string, where: string): Vector {
  const numbers = text
    .trim()
    .split(/\s+/)
    .map((part) => number(part, where));
  if (numbers.length !== 3) throw bad(where, `three numbers expected, found "${text.slice(0, 80)}"`);
  return numbers as unknown as Vector;
}

export function number(text: string, where: string): number {
  const value = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw bad(where, `a number expected, found "${text.slice(0, 80)}"`);
  return value;
}

export function bad(subject: string, message: string, hint = ''): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'read URDF',
    subject,
    message: `URDF, ${subject}: ${message}`,
    hint,
  });
}
