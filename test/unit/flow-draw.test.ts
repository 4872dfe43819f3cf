import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { faultText } from '../../adapters/packages/index.ts';
import { graphMermaid, graphOf, graphText } from '../../cli/flow/flow-graph.ts';
import { graphSvg } from '../../cli/flow/flow-svg.ts';
import { flowOf } from '../../daemon/compose/flow-of.ts';
import { readConfig } from '../../daemon/config.ts';
import type { Settings } from '../../daemon/settings.ts';

let root = '';
let settings: Settings;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'auraison-flow-'));
  settings = { config: readConfig('', 'robot.toml', {}).config, dataDir: join(root, 'data') } as Settings;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const FLOW = `steps:
  - id: forward
    about: 'drive <far> & "fast"'
    tool: robot.maneuver
    args: { kind: drive, distance_m: "{/params/metres}" }
    on_error: blocked
  - id: look
    tool: robot.state
    next:
      - { value: "{/steps/look/bumps}", above: 5, to: blocked }
  - id: again
    repeat: forward
    times: 3
  - id: done
    end: succeeded
  - id: blocked
    end: failed
`;

function drawn(text = FLOW) {
  writeFileSync(join(root, 'one.yaml'), text);
  const { name, flow, faults } = flowOf(join(root, 'one.yaml'), settings);
  expect(faults).toEqual([]);
  return graphOf(name, flow!);
}

it('every step and every way of a flow is in its drawing, whatever its form', () => {
  const graph = drawn();
  expect(graph.edges.map(({ from, to, label }) => `${from} ${label} ${to}`)).toEqual([
    'forward done look',
    'forward error, deadline, failed blocked',
    'look done [{/steps/look/bumps} above 5] blocked',
    'look done again',
    'again again forward',
    'again over done',
  ]);
  const text = graphText(graph);
  expect(text).toContain('one: 5 steps, starts at forward');
  expect(text).toMatch(/again\s+-> forward/);
  const mermaid = graphMermaid(graph);
  expect(mermaid.split('\n')).toHaveLength(2 + graph.nodes.length + graph.edges.length);
  // Signs of the language stand as entities: nothing of a text becomes a node.
  expect(mermaid).toContain('n_look -->|"done #91;#123;/steps/look/bumps#125; above 5#93;"| n_blocked');
});

it('parts that run at the same time are drawn with their starts, their ends and a frame each', () => {
  const graph = drawn(`steps:
  - id: both
    parallel:
      drive:
        - id: forward
          tool: robot.maneuver
      look:
        - id: see
          tool: robot.state
  - id: done
    end: succeeded
`);
  expect(graph.edges.map(({ from, to, label }) => `${from} ${label} ${to}`)).toEqual([
    'both starts drive forward',
    'both starts look see',
    'both done done',
    'forward done both_drive_end',
    'both_drive_end joins both',
    'see done both_look_end',
    'both_look_end joins both',
  ]);
  expect(graphText(graph)).toMatch(/> both\s+all of drive, look/);
  const mermaid = graphMermaid(graph);
  expect(mermaid).toContain('  subgraph p_both_drive["both.drive"]\n    n_forward["forward');
  expect(graphSvg(graph)).not.toMatch(/NaN|undefined/);
});

it('the picture is a whole SVG with a box for each step and a line for each way', () => {
  const svg = graphSvg(drawn());
  expect(XMLValidator.validate(svg)).toBe(true);
  const { svg: picture } = new XMLParser({ ignoreAttributes: false }).parse(svg) as {
    svg: { g: unknown[]; path: unknown[] };
  };
  expect(picture.g).toHaveLength(5);
  expect(picture.path).toHaveLength(6);
  expect(svg).not.toMatch(/NaN|undefined/);
});

it('a shipped application is drawn by its name', () => {
  const { flow, faults } = flowOf('turtlebot-maze', settings);
  expect(faults).toEqual([]);
  expect(graphText(graphOf('turtlebot-maze', flow!))).toMatch(/limit, error, deadline\s+-> gave_up/);
});

it.each([
  [
    'a target that is not there',
    FLOW.replace('on_error: blocked', 'on_error: nowhere'),
    /one\.yaml:6: .*"nowhere" is no step/,
  ],
  ['a key that nobody knows', FLOW.replace('times: 3', 'tines: 3'), /one\.yaml:13: .*did you mean times/],
  ['no end', 'steps:\n  - id: a\n    wait: 1 s\n    next: a\n', /no state ends the run/],
])('a check finds %s, with its place', (_what, text, fault) => {
  writeFileSync(join(root, 'one.yaml'), text);
  expect(flowOf(join(root, 'one.yaml'), settings).faults.map(faultText).join('\n')).toMatch(fault);
});

it('what is not there is said', () => {
  expect(() => flowOf('no-such-app', settings)).toThrow(/no application, folder or file no-such-app/);
});
