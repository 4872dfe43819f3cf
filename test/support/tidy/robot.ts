import {
  type ImportClause,
  type ImportSpecifier,
  isBindingElement,
  isIdentifier,
  isImportSpecifier,
  isNewExpression,
  isStringLiteral,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { Readings } from './declared.ts';
import type { Rule } from './rule.ts';
import { around, bare } from './syntax.ts';

const inCell = (name: string) =>
  /^daemon\/(?:execution|compose)\//.test(name) && !name.startsWith('daemon/execution/door/');

/** What reaches the robot, by the name of the method; and where such methods are declared. */
const METHODS = ['call', 'send', 'put', 'set', 'change'];
const DECLARED =
  /^(?:contract\/ports\/(?:ros-graph|key-space)\.ts$|adapters\/(?:ros|zenoh)\/|(?:.*\/)?node_modules\/(?:@eclipse-zenoh|rclnodejs)\/)/;
/** Names that many things have: without a type they say nothing. */
const COMMON = ['set', 'change'];

/** Ways from the execution cell and the composition to the robot, whatever they are called there. */
export const ROBOT_CALLS: Rule = {
  holdsFor: inCell,
  hint: /\b(?:call|send|put|set|change)\b|\[/,
  look: ({ checker, note }) => {
    const readings = new Readings(METHODS, checker);
    return {
      node: (node) => readings.look(node),
      end: () => {
        for (const { node, word, files, untyped } of readings.all())
          if (files.some((file) => DECLARED.test(file)) || (untyped && !COMMON.includes(word)))
            note(node, word);
      },
    };
  },
};

/** Calls of a service of the robot that the door was not asked for before, in the same function. */
export const UNASKED_CALLS: Rule = {
  holdsFor: inCell,
  hint: /\bcall\b/,
  look: ({ checker, note }) => {
    const readings = new Readings(['call'], checker);
    return {
      node: (node) => readings.look(node),
      end: () => {
        const all = readings.all();
        const asks = all.filter(({ files }) => files.includes('daemon/execution/door/door-calls.ts'));
        for (const { node, files } of all) {
          if (!files.includes('contract/ports/ros-graph.ts')) continue;
          const inside = functionAround(node);
          const isAsked = asks.some(({ node: ask }) => ask.pos < node.pos && functionAround(ask) === inside);
          if (!isAsked) note(node, 'call');
        }
      },
    };
  },
};

const FUNCTIONS: readonly SyntaxKind[] = [
  SyntaxKind.ArrowFunction,
  SyntaxKind.FunctionExpression,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.MethodDeclaration,
];

function functionAround(node: Node): Node | undefined {
  let outer = node.parent;
  while (outer !== undefined && !FUNCTIONS.includes(outer.kind)) outer = outer.parent;
  return outer;
}

/** What sends to a robot without being asked, and what a permit is made by. */
const SINKS = ['RosSink', 'RosZenohSink', 'KeySpaceSink'];
const NAMES = [...SINKS, 'Permit', 'Door'];

/** Sinks of a robot outside of the door, unless each is put behind a `RobotSink` where it is made; makers of permits. */
export const SINKS_OUTSIDE: Rule = {
  holdsFor: inCell,
  hint: /\b(?:SampleSink|RosSink|RosZenohSink|KeySpaceSink|Permit|Door)\b/,
  look: ({ note }) => {
    return {
      node: (node) => {
        if (!isIdentifier(node) && !isStringLiteral(node)) return;
        const word = node.text;
        if (word === 'SampleSink') note(node, word);
        else if (!NAMES.includes(word) || isTaken(node)) return;
        else if (!SINKS.includes(word) || !isBehindDoor(node)) note(node, word);
      },
      type: (node) => {
        if (isIdentifier(node) && node.text === 'SampleSink') note(node, node.text);
      },
    };
  },
};

/** The name in an import: under its own name, what is imported is judged where it is used. */
function isTaken(node: Node): boolean {
  const { parent } = node;
  if (isBindingElement(parent)) return parent.name === node && parent.propertyName === undefined;
  if (!isImportSpecifier(parent)) return false;
  return parent.propertyName !== node || isGoneImport(parent);
}

function isGoneImport({ isTypeOnly, parent }: ImportSpecifier): boolean {
  const clause = parent.parent as ImportClause;
  return isTypeOnly || clause.phaseModifier === SyntaxKind.TypeKeyword;
}

/** `new RobotSink(new RosSink(...))`. */
function isBehindDoor(node: Node): boolean {
  const made = around(node);
  if (!isNewExpression(made) || bare(made.expression) !== node) return false;
  const outer = around(made);
  if (!isNewExpression(outer) || !isIdentifier(outer.expression)) return false;
  const [first] = outer.arguments ?? [];
  return outer.expression.text === 'RobotSink' && first !== undefined && bare(first) === made;
}
