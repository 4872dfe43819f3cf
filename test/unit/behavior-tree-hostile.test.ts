import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { EdgeError, pause, TREE_LIMITS } from '../../contract/index.ts';
import type { Leaf } from '../../daemon/runtime/trees/leaf.ts';
import { Board } from '../../daemon/runtime/trees/leaf-run.ts';
import { watched } from '../../daemon/runtime/trees/watched.ts';
import { readTree } from '../../formats/behavior-tree/read-tree.ts';
import { treeFaults, treeOf, treeRun } from '../support/tree-lab.ts';

const bomb = `<!DOCTYPE lol [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><root>&b;</root>`;
const outside = `<!DOCTYPE root [<!ENTITY x SYSTEM "file:///etc/passwd">]><root a="&x;"/>`;

describe('a hostile flow.xml is refused in words', () => {
  it.each([
    ['entities that grow', bomb, /^flow\.xml:1: document types, entities, .* are not read; take them out/],
    ['an entity of another file', outside, /document types/],
    [
      'an unknown entity',
      treeOf('<lab.do it="&boom;"/>'),
      /^flow\.xml:3: <lab\.do>: it: the entity &boom; is not known/,
    ],
    [
      'a processing instruction',
      `<?xml-stylesheet href="http://a"?>${treeOf('<AlwaysSuccess/>')}`,
      /processing instr/,
    ],
    ['CDATA', treeOf('<![CDATA[<Spin/>]]>'), /CDATA/],
    ['text', treeOf('drive on'), /text stands between elements; take it out/],
    ['an element that does not end', treeOf('<Sequence>'), /^flow\.xml:4: is not XML/],
    ['two attributes of one name', treeOf('<Spin spin_dist="1" spin_dist="2"/>'), /is not XML: .*spin_dist/],
    ['depth', '<a>'.repeat(50_000), /nested more than 48 deep/],
    ['many elements', treeOf('<AlwaysSuccess/>'.repeat(2_000)), /has more than 1024 elements/],
    [
      'many attributes',
      treeOf(`<Spin ${Array.from({ length: 40 }, (_, i) => `a${i}="1"`).join(' ')}/>`),
      /32 attributes/,
    ],
    ['long attributes', treeOf(`<lab.do it="${'x'.repeat(5_000)}"/>`), /it has more than 1024 characters/],
    [
      'size',
      `<root>${' '.repeat(TREE_LIMITS.BYTES_MAX)}</root>`,
      /^flow\.xml: (is too large|has more than 256 KiB)/,
    ],
    ['a name of JavaScript', treeOf('<lab.do __proto__="1" it="a"/>'), /__proto__/],
  ])('%s', (_name, xml, words) => {
    expect(treeFaults(xml)).toMatch(words);
  });

  it('subtrees that multiply are counted as they are written out', () => {
    const doubling = Array.from(
      { length: 11 },
      (_, i) =>
        `<BehaviorTree ID="T${i}"><Sequence><SubTree ID="T${i + 1}"/><SubTree ID="T${i + 1}"/></Sequence></BehaviorTree>`,
    );
    const last = '<BehaviorTree ID="T11"><AlwaysSuccess/></BehaviorTree>';
    const faults = treeFaults(treeOf('<SubTree ID="T0"/>', `${doubling.join('\n')}\n${last}\n`));
    expect(faults).toMatch(
      /with every subtree written out there are more than 512 nodes|nests more than 12 trees/,
    );
  });

  it.each([
    '<root a="<'.repeat(25_000),
    '<!--'.repeat(60_000),
    '<'.repeat(250_000),
    '&'.repeat(250_000),
    '"'.repeat(250_000),
  ])('text that no parser should go over again and again: %.12s', (text) => {
    // It would take many seconds where the work grew with the square of the size; the test would run into its limit.
    for (let n = 0; n < 50; n++) expect(readTree(text).ok).toBe(false);
  });
});

it('calls no tool that moves the robot beside an action, whatever its name', async () => {
  const body =
    '<ReactiveSequence>\n<lab.is it="free"/>\n<lab.move it="guard"/>\n<lab.move it="m"/>\n</ReactiveSequence>';
  const { end, done } = await treeRun(treeOf(body), { free: true });
  expect(end).toMatchObject({
    status: 'failed',
    error: { message: expect.stringMatching(/<lab\.move> of line 5: lab\.move moves the robot/) },
  });
  expect(done).toEqual(['guard starts', 'guard ends']);
});

it('has stopped the action where a condition beside it throws', async () => {
  const leaf: Leaf = {
    ports: {},
    act() {
      throw new EdgeError('schema.invalid', { operation: 'port', subject: 'g', message: 'no value' });
    },
  };
  const node = { id: 'g', kind: 'g', line: 1, ports: {}, leaf, children: [], about: '' };
  const clock = new SystemClock();
  const scope = { clock, signal: new AbortController().signal, tools: {}, robot: {} } as never;
  let stands = false;
  const work = async (signal: AbortSignal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    await pause(clock, 20);
    stands = true;
  };
  const guard = { event: 'no_g', to: 'failed', node, on: 'failure' } as const;
  const options = { startsWithGuards: false, again: () => false };
  await expect(watched(work, [guard], scope, new Board({}), options)).rejects.toThrow('no value');
  expect(stands).toBe(true);
});
