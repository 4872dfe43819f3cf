import { APP_LIMITS, type PackageFile } from '../../contract/apps/index.ts';
import { type Head, listOf, splitHead } from './agent-head.ts';

export type Imported = {
  readonly name: string;
  readonly files: readonly PackageFile[];
  /** What was taken over otherwise than it stood there, or not at all: one line each. */
  readonly report: readonly string[];
};

const NAME_MAX = 48;
/** Of the name of an MCP server. */
const SERVER_MAX = 32;
const DESCRIPTION_MAX = 1_024;
/** Tools of Claude Code that mean something here. The others work on files and commands of a developer's machine. */
const SAME: Readonly<Record<string, string>> = {
  Task: 'run.spawn',
  Agent: 'run.spawn',
  Skill: 'skill.load',
  AskUserQuestion: 'person.ask',
};
const TAKEN: ReadonlySet<string> = new Set(['name', 'description', 'tools', 'model']);
const KEPT = ['license', 'compatibility'] as const;
const NO_TOOLS = ['robot.state'];

/**
 * A package of an agent as Claude Code has it (`.claude/agents/NAME.md`). `tools`: what it may use here beside what can be
 * taken over; none of its own moves a robot. Pure.
 */
export function importAgent(text: string, fallback: string, tools: readonly string[]): Imported {
  const { head, body } = splitHead(text);
  const report: string[] = [];
  const name = nameOf(head, fallback, report);
  const description = descriptionOf(head, name, report);
  const mapped = toolsOf(head, report);
  const wanted = [...new Set([...mapped, ...tools])];
  if (wanted.length === 0)
    report.push(`tools: none could be taken over; it gets ${NO_TOOLS.join(', ')}; --tools names more`);
  if (body === '') report.push('instructions: the file has none below its head; write AGENT.md');
  restOf(head, TAKEN, report);
  const all = wanted.length === 0 ? NO_TOOLS : wanted;
  const manifest = manifestOf({ name, description, tools: all, model: modelOf(head, report) });
  return {
    name,
    report,
    files: [file('app.toml', manifest), file('AGENT.md', `${body === '' ? description : body}\n`)],
  };
}

/** A package of a skill: an agent that loads it when it is asked. `files`: of the folder with the SKILL.md. Pure. */
export function importSkill(
  files: readonly PackageFile[],
  fallback: string,
  tools: readonly string[],
): Imported {
  const report: string[] = [];
  const skill = skillOf(files, fallback, report);
  const all = [...new Set(['skill.load', ...(tools.length === 0 ? NO_TOOLS : tools)])];
  const { name, description } = skill;
  return {
    name,
    report,
    files: [
      file('app.toml', manifestOf({ name, description, tools: all, model: undefined })),
      file('AGENT.md', `Load the skill ${name} with skill_load, and do what you are asked for as it says.\n`),
      ...skill.files,
    ],
  };
}

/** The files of a skill as a package has them, below `skills/NAME`. */
export function skillOf(
  files: readonly PackageFile[],
  fallback: string,
  report: string[],
): { readonly name: string; readonly description: string; readonly files: readonly PackageFile[] } {
  const main = files.find(({ path }) => path === 'SKILL.md');
  const { head, body } = splitHead(main ? new TextDecoder().decode(main.bytes) : '');
  const name = nameOf(head, fallback, report);
  const description = descriptionOf(head, name, report);
  const asked = listOf(head['allowed-tools']);
  if (asked.length > 0)
    report.push(`allowed-tools: ${asked.join(', ')} were not taken over: tools stand in app.toml`);
  const scripts = files.filter(({ path }) => /\.(py|sh|js|ts|rb)$/.test(path)).map(({ path }) => path);
  if (scripts.length > 0)
    report.push(
      `scripts: ${scripts.join(', ')} were copied, and nothing here runs them; an extension or an MCP server can`,
    );
  restOf(head, new Set(['name', 'description', 'allowed-tools', ...KEPT]), report);
  // Whose it is and what it needs stays with it.
  const kept = KEPT.flatMap((key) =>
    typeof head[key] === 'string' && head[key] !== ''
      ? [`${key}: ${JSON.stringify(head[key].slice(0, 500))}\n`]
      : [],
  );
  const text = `---\nname: ${name}\ndescription: ${JSON.stringify(description.replaceAll('\n', ' '))}\n${kept.join('')}---\n\n${body}\n`;
  return {
    name,
    description,
    files: [
      file(`skills/${name}/SKILL.md`, text),
      ...files
        .filter(({ path }) => path !== 'SKILL.md')
        .map(({ path, bytes }) => ({ path: `skills/${name}/${path}`, bytes })),
    ],
  };
}

function nameOf(head: Head, fallback: string, report: string[]): string {
  const given = String(head['name'] ?? fallback);
  const plain = given
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, NAME_MAX)
    .replace(/-+$/, '');
  const name = plain === '' ? 'imported' : plain;
  if (name !== given) report.push(`name: "${given.slice(0, 80)}" is called ${name} here`);
  return name;
}

function descriptionOf(head: Head, name: string, report: string[]): string {
  const given = String(head['description'] ?? '').trim();
  if (given === '') report.push('description: missing; write one into app.toml');
  if (given.length > DESCRIPTION_MAX)
    report.push(`description: its first ${DESCRIPTION_MAX} of ${given.length} characters were taken`);
  return given === '' ? name : given.slice(0, DESCRIPTION_MAX).trim();
}

function toolsOf(head: Head, report: string[]): readonly string[] {
  const given = listOf(head['tools']);
  const found: string[] = [];
  const gone: string[] = [];
  for (const one of given) {
    const same = SAME[one.replace(/\(.*$/, '')];
    const [, server, tool] =
      /^mcp__([A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*)(?:__([A-Za-z0-9_.*-]+))?$/.exec(one) ?? [];
    if (same !== undefined) found.push(same);
    else if (server !== undefined) {
      const lower = server.toLowerCase().replaceAll('_', '-').slice(0, SERVER_MAX);
      found.push(
        tool === undefined || tool === '*' ? `mcp.${lower}.*` : `mcp.${lower}.${tool.toLowerCase()}`,
      );
      report.push(`tools: ${one} needs its server: [[mcp]] name = "${lower}" in app.toml`);
    } else gone.push(one);
  }
  if (gone.length > 0)
    report.push(
      `tools: ${gone.join(', ')} are not there: a robot offers no files or commands of a developer`,
    );
  return found;
}

function modelOf(head: Head, report: string[]): string | undefined {
  const model = head['model'];
  if (typeof model !== 'string' || model === '' || model === 'inherit') return undefined;
  report.push(`model: "${model}" is preferred where a model of the configuration has this name ([[models]])`);
  return model.slice(0, 128);
}

function restOf(head: Head, taken: ReadonlySet<string>, report: string[]): void {
  for (const key of Object.keys(head)) if (!taken.has(key)) report.push(`${key}: is not taken over`);
}

function manifestOf(parts: {
  readonly name: string;
  readonly description: string;
  readonly tools: readonly string[];
  readonly model: string | undefined;
}): string {
  const { name, description, tools, model } = parts;
  return `name = "${name}"
version = "0.1.0"
description = ${toml(description)}
harness = "pi"
# What it may use: docs/tools.md has the names. Without "robot.maneuver" or "robot.navigate" it moves nothing.
tools = [${tools.map(toml).join(', ')}]
deadline = "10 min"

[[intents]]
type = "${name.replaceAll('-', '_')}/ask"
description = ${toml(description)}
prompt = "{/params/request}"
params.required = ["request"]

[intents.params.properties.request]
type = "string"
minLength = 1
maxLength = 4000
description = "what it is asked for, in words"
${model === undefined ? '' : `\n[model]\nprefer = [${toml(model)}]\n`}
[budget]
turns = 50
`;
}

/** Strings of JSON are strings of TOML, but for a few characters that stand as they are in both. */
function toml(text: string): string {
  return JSON.stringify(text.replaceAll('\u007f', ''));
}

function file(path: string, text: string): PackageFile {
  const bytes = new TextEncoder().encode(text);
  return { path, bytes: bytes.subarray(0, APP_LIMITS.TEXT_BYTES_MAX) };
}
