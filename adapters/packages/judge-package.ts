import { stripTypeScriptTypes } from 'node:module';
import {
  APP_LIMITS,
  type AppFault,
  type AppManifest,
  type AppPackage,
  appManifestChecker,
  type FlowFile,
  flowFileChecker,
  type PackageFile,
  paramsFault,
  type TreeFile,
} from '../../contract/apps/index.ts';
import { readTree } from '../../formats/behavior-tree/read-tree.ts';
import { type Checked, checkFile, faultAt, type Parsed } from './checked-file.ts';
import { digestOf, type FilesResult } from './package-files.ts';
import { signerOf, type TrustedKeys } from './signature.ts';

/** Parsers of others, so that this room has none of its own. None of them throws. */
export type PackageParsers = {
  toml(text: string): Parsed;
  yaml(text: string): Parsed;
  /** Head and body of a markdown file with front matter. */
  frontMatter(
    text: string,
  ): { readonly ok: true; readonly body: string } | { readonly ok: false; readonly problem: string };
  /** What is wrong with a cron expression in this zone; undefined: nothing. */
  cronFault(cron: string, timeZone: string): string | undefined;
  /** What is wrong with a policy file of a package. */
  policyFaults(
    file: string,
    text: string,
  ): readonly { readonly line: number | undefined; readonly problem: string }[];
  /** What is wrong with a SKILL.md in a folder of that name. */
  skillProblems(text: string, folder: string): readonly string[];
};

export type JudgeParts = {
  readonly parsers: PackageParsers;
  readonly keys: TrustedKeys;
  readonly requireSigned: boolean;
  /** Absent: any. */
  readonly modules?: ModuleTrust;
};

/** Whose code may run in the daemon: that of any package, of those that a trusted key signed, or of none. */
export type ModuleTrust = 'any' | 'signed' | 'none';

export type PackageVerdict =
  | { readonly ok: true; readonly pkg: AppPackage }
  | { readonly ok: false; readonly faults: readonly AppFault[]; readonly name?: string };

/** Judges the files of a package; nothing of it is run. Never throws. */
export function judgePackage(read: FilesResult, parts: JudgeParts): PackageVerdict {
  if (!read.ok) return read;
  const { files, signature } = read;
  const manifest = readManifest(files, parts.parsers);
  if (!manifest.ok) return manifest;
  const app = manifest.value;
  const faults = [
    ...manifestFaults(app, files, manifest.lineOf),
    ...cronFaults(app, manifest.lineOf, parts.parsers),
    ...folderFaults(app, files, manifest.lineOf),
    ...files.flatMap((file) => contentFaults(file, app, parts.parsers)),
  ];
  const flowPath = flowPathOf(app, files);
  const flow = flowOf(app, flowPath, files, parts.parsers);
  const instructions = instructionsOf(app, files, parts.parsers);
  if (flow && !flow.ok) faults.push(...flow.faults);
  const tree = treeOf(app, flowPath, files);
  if (tree && !tree.ok) faults.push(...tree.faults);
  if (typeof instructions === 'object') faults.push(instructions);
  const digest = digestOf(files);
  const signedBy = signerOf(digest, signature, parts.keys);
  if (parts.requireSigned && signedBy === undefined) faults.push(unsigned(signature, parts.keys));
  const refused = codeFault(parts, signedBy);
  if (refused !== undefined && app.module !== undefined)
    faults.push(faultAt('app.toml', manifest.lineOf(['module']), 'module', refused));
  const extensions = files.filter(({ path }) => path.startsWith('extensions/') && path.endsWith('.ts'));
  if (refused !== undefined) faults.push(...extensions.map(({ path }) => ({ file: path, problem: refused })));
  if (faults.length > 0) return { ok: false, faults, name: app.name };
  return {
    ok: true,
    pkg: {
      manifest: app,
      ...(typeof instructions === 'string' ? { instructions } : {}),
      ...(flow?.ok ? { flow: flow.value } : {}),
      ...(tree?.ok ? { tree: tree.value } : {}),
      ...{ flowPath, digest },
      ...(signedBy === undefined ? {} : { signedBy }),
      files,
    },
  };
}

function readManifest(files: readonly PackageFile[], { toml }: PackageParsers): Checked<AppManifest> {
  const text = textOf(files, 'app.toml');
  if (text === undefined)
    return {
      ok: false,
      faults: [{ file: 'app.toml', problem: 'is missing or no UTF-8 text; auraison app new NAME makes one' }],
    };
  return checkFile('app.toml', toml(text), appManifestChecker);
}

type LineOf = (path: readonly string[]) => number | undefined;

function manifestFaults(app: AppManifest, files: readonly PackageFile[], lineOf: LineOf): AppFault[] {
  const faults: AppFault[] = [];
  const fault = (path: readonly string[], key: string, problem: string) =>
    faults.push(faultAt('app.toml', lineOf(path), key, problem));
  const types = app.intents.map(({ type }) => type);
  app.intents.forEach(({ type, params }, index) => {
    if (types.indexOf(type) !== index)
      fault(['intents', `${index}`, 'type'], `intents[${index + 1}].type`, `"${type}" is there twice`);
    const wrong = params && paramsFault(params);
    if (wrong) fault(['intents', `${index}`, 'params'], `intents[${index + 1}].params`, wrong);
  });
  app.mcp?.forEach((row, index) => {
    const key = `mcp[${index + 1}]`;
    if ((row.command === undefined) === (row.url === undefined))
      fault(['mcp', `${index}`], key, 'command or url is expected, one of them');
    if (row.url !== undefined && !isReachable(row.url))
      fault(
        ['mcp', `${index}`, 'url'],
        `${key}.url`,
        'https is expected; over http only this host is reached',
      );
    if (app.mcp!.findIndex(({ name }) => name === row.name) !== index)
      fault(['mcp', `${index}`, 'name'], `${key}.name`, `"${row.name}" is there twice`);
  });
  if ((app.harness === 'remote') !== (app.remote !== undefined))
    fault(
      ['remote'],
      'remote',
      app.remote
        ? 'is for harness = "remote"'
        : 'is missing: harness = "remote" wants [remote] runtime = "NAME"',
    );
  if (app.harness === 'remote' && (app.model || app.extensions || app.skills))
    fault(['remote'], 'remote', 'models, skills and extensions are those of the runtime: take them out');
  if (app.harness === 'remote' && app.flow !== undefined)
    fault(['flow'], 'flow', 'the runtime decides: harness = "remote" has no flow');
  if (app.module !== undefined && !files.some(({ path }) => path === app.module))
    fault(['module'], 'module', `there is no ${app.module}`);
  if (app.harness === 'flow' && app.model && app.module === undefined)
    fault(['model'], 'model', 'is for harness = "pi"; a flow asks no model');
  return faults;
}

function cronFaults(
  { schedule = [] }: AppManifest,
  lineOf: LineOf,
  { cronFault }: PackageParsers,
): AppFault[] {
  return schedule.flatMap(({ cron, time_zone: zone = 'UTC' }, index) => {
    const problem = cronFault(cron.trim(), zone);
    const line = lineOf(['schedule', `${index}`, 'cron']);
    return problem === undefined ? [] : [faultAt('app.toml', line, `schedule[${index + 1}].cron`, problem)];
  });
}

/** An address that may be asked: over http only this host. */
function isReachable(text: string): boolean {
  try {
    const { protocol, hostname } = new URL(text);
    return protocol === 'https:' || /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
  } catch {
    return false;
  }
}

/** What the manifest says it has is there, and what is there is said. */
function folderFaults(app: AppManifest, files: readonly PackageFile[], lineOf: LineOf): AppFault[] {
  const skills = files.flatMap(({ path }) => /^skills\/([^/]+)\/SKILL\.md$/.exec(path)?.[1] ?? []);
  const extensions = files.flatMap(({ path }) => /^extensions\/([^/]+)\.ts$/.exec(path)?.[1] ?? []);
  const own = extensions.filter((name) => !/\.(d|test)$/.test(name));
  return [
    ...listFaults('skills', app.skills, skills, (name) => `skills/${name}/SKILL.md`, lineOf),
    ...listFaults('extensions', app.extensions, own, (name) => `extensions/${name}.ts`, lineOf),
  ];
}

function listFaults(
  key: string,
  said: readonly string[] | undefined,
  there: readonly string[],
  fileOf: (name: string) => string,
  lineOf: LineOf,
): AppFault[] {
  if (!said) return [];
  const line = lineOf([key]);
  return [
    ...said
      .filter((name) => !there.includes(name))
      .map((name) => faultAt('app.toml', line, key, `there is no ${fileOf(name)}`)),
    ...there
      .filter((name) => !said.includes(name))
      .map((name) =>
        faultAt(
          fileOf(name),
          undefined,
          undefined,
          `is not named in ${key} of app.toml; name it or take it out`,
        ),
      ),
  ];
}

function contentFaults(
  { path, bytes }: PackageFile,
  { module }: AppManifest,
  { skillProblems, policyFaults }: PackageParsers,
): AppFault[] {
  if (/^policies\/[^/]+\.cedar$/.test(path)) {
    const text = bytes.length > APP_LIMITS.TEXT_BYTES_MAX ? undefined : decoded(bytes);
    if (text === undefined) return [{ file: path, problem: 'is too large, or no UTF-8 text' }];
    return policyFaults(path, text).map(({ line, problem }) => faultAt(path, line, undefined, problem));
  }
  const skill = /^skills\/([^/]+)\/SKILL\.md$/.exec(path)?.[1];
  if (skill !== undefined) {
    const text = decoded(bytes);
    const problems = text === undefined ? ['is no UTF-8 text'] : skillProblems(text, skill);
    return problems.map((problem) => faultAt(path, undefined, undefined, problem));
  }
  if (!path.endsWith('.ts') || !(path === module || path.startsWith('extensions/'))) return [];
  const text = decoded(bytes);
  if (text === undefined) return [{ file: path, problem: 'is no UTF-8 text' }];
  try {
    stripTypeScriptTypes(text, { mode: 'strip' });
    return [];
  } catch (thrown) {
    return [
      faultAt(
        path,
        undefined,
        undefined,
        `is no TypeScript that Node can run: ${(thrown as Error).message.split('\n')[0]}`,
      ),
    ];
  }
}

/** The file of the flow, there or not. */
function flowPathOf({ flow }: AppManifest, files: readonly PackageFile[]): string {
  return flow ?? (files.some(({ path }) => path === 'flow.xml') ? 'flow.xml' : 'flow.yaml');
}

/** Whether it has a flow of files, or needs one. */
function hasFlow(
  { harness, module, flow }: AppManifest,
  path: string,
  files: readonly PackageFile[],
): boolean {
  if (harness === 'remote') return false;
  const isOptional = flow === undefined && (harness === 'pi' || module !== undefined);
  return !isOptional || files.some((file) => file.path === path);
}

function flowOf(
  app: AppManifest,
  path: string,
  files: readonly PackageFile[],
  { yaml }: PackageParsers,
): Checked<FlowFile> | undefined {
  if (path.endsWith('.xml') || !hasFlow(app, path, files)) return undefined;
  const text = textOf(files, path);
  if (text === undefined)
    return {
      ok: false,
      faults: [
        { file: path, problem: `is missing or no UTF-8 text; harness = "flow" runs it, or a behavior tree` },
      ],
    };
  return checkFile(path, yaml(text), flowFileChecker);
}

/** A flow as a behavior tree (BehaviorTree.CPP XML); a package has one way of writing it. */
function treeOf(
  app: AppManifest,
  path: string,
  files: readonly PackageFile[],
):
  | { readonly ok: true; readonly value: TreeFile }
  | { readonly ok: false; readonly faults: readonly AppFault[] }
  | undefined {
  if (!path.endsWith('.xml') || !hasFlow(app, path, files)) return undefined;
  const fault = (problem: string, line?: number, key?: string) =>
    ({ ok: false, faults: [faultAt(path, line, key, problem)] }) as const;
  if (app.flow === undefined && files.some((file) => file.path === 'flow.yaml'))
    return fault('flow.yaml is there too; keep one of them, or name it: flow = "flow.xml" in app.toml');
  if (app.module !== undefined) return fault('the flow of a package with a module is in its module');
  const text = textOf(files, path);
  if (text === undefined) {
    const bytes = files.find((file) => file.path === path)?.bytes.length;
    if (bytes === undefined) return fault('is missing');
    return fault(bytes > APP_LIMITS.TEXT_BYTES_MAX ? 'is too large' : 'is no UTF-8 text');
  }
  const read = readTree(text);
  return read.ok ? { ok: true, value: read.tree } : fault(read.problem, read.line, read.key);
}

/** The body of AGENT.md, a fault, or undefined where none is needed. */
function instructionsOf(
  app: AppManifest,
  files: readonly PackageFile[],
  { frontMatter }: PackageParsers,
): string | AppFault | undefined {
  const isThere = files.some(({ path }) => path === 'AGENT.md');
  const isOptional = app.module !== undefined || app.harness === 'remote';
  if (app.harness === 'flow' || (!isThere && isOptional)) return undefined;
  const text = textOf(files, 'AGENT.md');
  if (text === undefined)
    return {
      file: 'AGENT.md',
      problem: 'is missing or no UTF-8 text; harness = "pi" takes its instructions from it',
    };
  if (!text.startsWith('---'))
    return text.trim() === '' ? { file: 'AGENT.md', problem: 'is empty' } : text.trim();
  const split = frontMatter(text);
  if (!split.ok)
    return { file: 'AGENT.md', line: 1, problem: split.problem.replaceAll('SKILL.md', 'AGENT.md') };
  return split.body === ''
    ? { file: 'AGENT.md', problem: 'has no instructions below its front matter' }
    : split.body;
}

/** Why code of this package must not run in the daemon; undefined: it may. */
function codeFault({ modules, keys }: JudgeParts, signedBy: string | undefined): string | undefined {
  if (modules === 'none') return 'is code that would run in the daemon, and [apps] modules = "none"';
  if (modules !== 'signed' || signedBy !== undefined) return undefined;
  const known = [...keys.keys()].join(', ') || 'none';
  return `is code that would run in the daemon, [apps] modules = "signed", and no trusted key signed it; sign it: auraison app pack --key PRIVATE.key (trusted keys: ${known})`;
}

function unsigned(signature: string | undefined, keys: TrustedKeys): AppFault {
  const known = [...keys.keys()].join(', ') || 'none';
  return {
    file: 'app.sig',
    problem:
      signature === undefined
        ? `is missing, and [apps] require_signed is on; sign it: auraison app pack --key PRIVATE.key (trusted keys: ${known})`
        : `is of no trusted key, or a file changed after it was made (trusted keys: ${known})`,
  };
}

function textOf(files: readonly PackageFile[], path: string): string | undefined {
  const file = files.find((one) => one.path === path);
  return file && file.bytes.length <= APP_LIMITS.TEXT_BYTES_MAX ? decoded(file.bytes) : undefined;
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
