import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { faultText } from '../../adapters/packages/index.ts';
import { splitHead } from '../../cli/app/agent-head.ts';
import { type Imported, importAgent, importSkill } from '../../cli/app/import-agent.ts';
import { importApps } from '../../cli/commands/app-import.ts';
import type { CommandContext } from '../../cli/context.ts';
import { judgeWhole } from '../../daemon/compose/package-reader.ts';

const judged = ({ files }: Imported) => {
  const read = judgeWhole(
    { ok: true, files, signature: undefined },
    { keys: new Map(), requireSigned: false },
  );
  if (!read.ok) throw new Error(read.faults.map(faultText).join('\n'));
  return read;
};

/** As people write them: heads that are YAML, and heads that are not. */
const REVIEWER = `---
name: code-reviewer
description: Expert code review specialist. Proactively reviews code for quality, security, and maintainability. Use immediately after writing or modifying code.
tools: Read, Grep, Glob, Bash
model: inherit
---

You are a senior code reviewer.

When invoked:
1. Run git diff to see recent changes
2. Begin review immediately
`;
const SCHEDULER = `---
name: Patrol Planner
description: "Use this agent when a patrol has to be planned.\\n\\nExamples:\\n<example>\\nContext: The user: wants rounds.\\nuser: \\"Check the hall\\"\\n</example>"
tools: Task, AskUserQuestion, mcp__Maps__find_route, mcp__slack, Bash(git log:*, npm test), WebFetch
model: sonnet
color: cyan
permissionMode: plan
---
Plan the patrol and hand each leg to a sub-agent.
`;
const BLOCK = `---
name: inventory
description: >
  Counts what stands
  on the shelves.
tools:
  - Read
  - Skill
skills:
  - counting
hooks:
  PreToolUse:
    - matcher: Bash
---
Count. {"json": "in the text"} and {/params/none} stay as they are.
`;

it('an agent with plain front matter becomes a package, and what is missing is said', () => {
  const made = importAgent(REVIEWER, 'x', ['robot.state', 'robot.maneuver']);
  const { pkg } = judged(made);
  expect(pkg.manifest).toMatchObject({
    name: 'code-reviewer',
    harness: 'pi',
    tools: ['robot.state', 'robot.maneuver'],
    intents: [{ type: 'code_reviewer/ask' }],
  });
  expect(pkg.manifest.model).toBeUndefined();
  expect(pkg.instructions).toMatch(/^You are a senior code reviewer\.[\s\S]*Begin review immediately$/);
  expect(made.report).toEqual([expect.stringMatching(/^tools: Read, Grep, Glob, Bash are not there/)]);
});

it('what has a counterpart is taken over: sub-agents, questions, MCP tools, the model', () => {
  const made = importAgent(SCHEDULER, 'x', []);
  const { pkg, make } = judged(made);
  expect(pkg.manifest).toMatchObject({
    name: 'patrol-planner',
    tools: ['run.spawn', 'person.ask', 'mcp.maps.find_route', 'mcp.slack.*'],
    model: { prefer: ['sonnet'] },
  });
  expect(pkg.manifest.description).toContain('Context: The user: wants rounds.\nuser: "Check the hall"');
  expect(make('/x').agent?.prompt({ request: 'go round' }, 'patrol_planner/ask')).toBe('go round');
  expect(made.report.map((line) => line.split(':')[0])).toEqual([
    ...['name', 'tools', 'tools', 'tools', 'color', 'permissionMode', 'model'],
  ]);
  expect(made.report.join('\n')).toContain('Bash(git log:*, npm test), WebFetch');
});

it('lists, folded texts and what nobody knows here', () => {
  const made = importAgent(BLOCK, 'x', []);
  const { pkg } = judged(made);
  expect(pkg.manifest).toMatchObject({
    description: 'Counts what stands on the shelves.',
    tools: ['skill.load'],
  });
  expect(pkg.instructions).toBe('Count. {"json": "in the text"} and {/params/none} stay as they are.');
  expect(made.report.map((line) => line.split(':')[0])).toEqual(['tools', 'skills', 'hooks']);
});

it('servers with underscores, and tools as switches', () => {
  const text =
    '---\nname: a\ndescription: b\ntools:\n  write: false\n  mcp__My_Server__do_it: true\n  mcp__plugin_maps_osm: true\n---\nGo.\n';
  const made = importAgent(text, 'x', []);
  expect(judged(made).pkg.manifest.tools).toEqual(['mcp.my-server.do_it', 'mcp.plugin-maps-osm.*']);
});

it('a whole .claude is imported: folders within, what has no head is left, a fault hinders no other', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'app-import-'));
  const put = (path: string, text: string) => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  put('.claude/agents/one.md', '---\nname: one\ndescription: d\n---\nGo.\n');
  put('.claude/agents/README.md', '# Our agents\n');
  put('.claude/agents/team/two.md', '---\nname: two\ndescription: d\n---\nGo.\n');
  put('.claude/skills/bad/SKILL.md', '---\nname: bad\ndescription: d\n---\nGo.\n');
  symlinkSync('SKILL.md', join(folder, '.claude/skills/bad/link.md'));
  put('.claude/skills/good/SKILL.md', '---\nname: good\ndescription: d\nlicense: Apache-2.0\n---\nGo.\n');
  put('.claude/settings.json', '{}');
  put('apps/two/app.toml', 'mine');
  const said: { imported: { name?: string; folder?: string; faults: string[] }[]; skipped: string[] }[] = [];
  const context = { out: { result: (value: never) => void said.push(value) } } as unknown as CommandContext;
  const code = await importApps(context, [join(folder, '.claude')], { dir: join(folder, 'apps') });
  const [{ imported, skipped } = { imported: [], skipped: [] }] = said;
  expect(code).toBe(1);
  expect(imported.map(({ name, folder: made, faults }) => [name, made !== undefined, faults.length])).toEqual(
    [
      ...[
        ['one', true, 0],
        ['two', false, 1],
        [undefined, false, 1],
        ['good', true, 0],
      ],
    ],
  );
  expect(imported.flatMap(({ faults }) => faults).join()).toMatch(/is there already.*link\.md: is a link/s);
  expect(skipped.map((path) => basename(path))).toEqual(['README.md']);
  expect(readFileSync(join(folder, 'apps/two/app.toml'), 'utf8')).toBe('mine');
  expect(readFileSync(join(folder, 'apps/good/skills/good/SKILL.md'), 'utf8')).toContain(
    'license: "Apache-2.0"',
  );
  rmSync(folder, { recursive: true });
});

it.each([
  ['no head at all', 'Just say hello.', 'hello-world', 'hello-world'],
  ['a head that does not end', '---\nname: x\nnothing more', 'open', 'open'],
  ['an empty file', '', 'empty', 'empty'],
  ['a name of signs', '---\nname: "../../etc"\n---\nx', 'x', 'etc'],
  ['a name of nothing', '---\nname: "123"\n---\nx', 'x', 'imported'],
  ['a long description', `---\nname: a\ndescription: ${'x'.repeat(9_000)}\n---\nx`, 'x', 'a'],
  ['quotes and controls', '---\nname: a\ndescription: a "b" \\ \u0001 c\n---\nx', 'x', 'a'],
  ['Windows lines', '---\r\nname: a\r\ndescription: b\r\n---\r\nx', 'x', 'a'],
])('%s gives a package all the same', (_what, text, fallback, name) => {
  expect(judged(importAgent(text, fallback, [])).pkg.manifest.name).toBe(name);
});

it('a skill becomes a package whose agent loads it', () => {
  const text =
    '---\nname: Shelf Check\ndescription: Use when shelves: need a look\nallowed-tools: Read, Bash\nversion: 2\n---\n# Look\nSee ref.md.\n';
  const bytes = (of: string) => new TextEncoder().encode(of);
  const made = importSkill(
    [
      { path: 'SKILL.md', bytes: bytes(text) },
      { path: 'ref.md', bytes: bytes('more') },
      { path: 'scripts/run.py', bytes: bytes('print()') },
    ],
    'x',
    ['robot.*'],
  );
  const { pkg } = judged(made);
  expect(pkg.manifest).toMatchObject({ name: 'shelf-check', tools: ['skill.load', 'robot.*'] });
  expect(pkg.files.map(({ path }) => path).sort()).toEqual([
    ...['AGENT.md', 'app.toml', 'skills/shelf-check/SKILL.md', 'skills/shelf-check/ref.md'],
    'skills/shelf-check/scripts/run.py',
  ]);
  expect(made.report.map((line) => line.split(':')[0])).toEqual([
    'name',
    'allowed-tools',
    'scripts',
    'version',
  ]);
});

it('heads are read as they are meant', () => {
  expect(splitHead('---\na: [x, "y z"]\nb: |\n  one\n  two\nc:\n  - 1\n---\nbody').head).toEqual({
    a: ['x', 'y z'],
    b: 'one\ntwo',
    c: ['1'],
  });
});
