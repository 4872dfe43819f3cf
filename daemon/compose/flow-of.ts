import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { checkFile, keyOf } from '../../adapters/packages/index.ts';
import { parsePlainYaml } from '../../adapters/skills/index.ts';
import { flowFileChecker, TREE_LIMITS } from '../../contract/apps/index.ts';
import { type AppFault, type AppPackage, EdgeError, type FlowDefinition } from '../../contract/core.ts';
import { readTree } from '../../formats/behavior-tree/read-tree.ts';
import { flowFaults } from '../runtime/flow/flow-check.ts';
import { compileFlow } from '../runtime/packages/compile-flow.ts';
import { referencesIn } from '../runtime/packages/references.ts';
import { compileTree } from '../runtime/trees/compile-tree.ts';
import { expandTree, type TreeFault } from '../runtime/trees/tree-nodes.ts';
import type { Settings } from '../settings.ts';
import { appsOnDisk, readPackage } from './package-reader.ts';
import { loaded } from './shelf-rules.ts';

/** A flow as people look at it, or what is wrong with it. */
export type FlowFound = {
  readonly name: string;
  readonly flow: FlowDefinition | undefined;
  readonly faults: readonly AppFault[];
  /** Nodes of a behavior tree that do less than their name says. */
  readonly notes: readonly AppFault[];
};

/** A file that stands alone has no manifest that could end its steps, milliseconds. */
const DEADLINE_MS = 3_600_000;

/**
 * The flow of an application by its name or folder, or of one `flow.yaml` or behavior tree (`.xml`). Of a package with
 * a module its code runs.
 * Throws `config.unreadable` where there is nothing of this name.
 */
export function flowOf(spec: string, settings: Settings): FlowFound {
  const path = resolve(spec);
  if (existsSync(path) && statSync(path).isFile()) {
    const folder = dirname(path);
    if (isFlowOf(folder, basename(path))) return ofPackage(folder);
    return path.endsWith('.xml') ? ofTree(path) : ofFile(path);
  }
  if (existsSync(join(path, 'app.toml'))) return ofPackage(path);
  const view = appsOnDisk(settings).find(({ name }) => name === spec);
  if (view) return ofPackage(view.folder);
  throw new EdgeError('config.unreadable', {
    operation: 'read flow',
    subject: spec,
    message: `there is no application, folder or file ${spec}`,
    hint: 'auraison app list shows the applications; a folder has an app.toml',
  });
}

/** Whether the file is the flow of the package that its folder is. */
function isFlowOf(folder: string, file: string): boolean {
  if (!existsSync(join(folder, 'app.toml'))) return false;
  if (['flow.yaml', 'flow.xml'].includes(file)) return true;
  const read = readPackage(folder, { keys: new Map(), requireSigned: false });
  return read.ok && read.pkg.manifest.flow === file;
}

function ofPackage(folder: string): FlowFound {
  const read = readPackage(folder, { keys: new Map(), requireSigned: false });
  if (!read.ok)
    return { name: read.name ?? basename(folder), flow: undefined, faults: read.faults, notes: [] };
  const { name } = read.pkg.manifest;
  const notes = treeNotes(read.pkg);
  try {
    const { flow } = loaded(read, folder);
    if (!flow)
      return { name, flow, faults: [{ file: 'app.toml', problem: 'it has an agent and no flow' }], notes };
    return {
      ...{ name, flow, notes },
      faults: flowFaults(flow).map((problem) => ({
        file: read.pkg.manifest.module ?? read.pkg.flowPath,
        problem,
      })),
    };
  } catch (thrown) {
    const { message, hint } = EdgeError.from(thrown, 'extension.failed', 'load module', folder);
    return {
      ...{ name, flow: undefined, notes },
      faults: [{ file: read.pkg.manifest.module ?? '.', problem: `${message}; ${hint}` }],
    };
  }
}

/** Without a manifest every tool and every parameter counts as named. */
function ofFile(path: string): FlowFound {
  const name = basename(path).replace(/\.[^.]+$/, '');
  const read = checkFile(basename(path), parsePlainYaml(readFileSync(path, 'utf8')), flowFileChecker);
  if (!read.ok) return { name, flow: undefined, faults: read.faults, notes: [] };
  const params = new Set(
    referencesIn(read.value).flatMap(([root, one]) => (root === 'params' && one ? one : [])),
  );
  const parts = { name, tools: ['*'], defaults: {}, params, deadlineMs: DEADLINE_MS };
  const made = compileFlow(read.value, parts);
  if (made.ok) return { name, flow: made.flow, faults: [], notes: [] };
  return {
    ...{ name, flow: undefined, notes: [] },
    faults: made.faults.map(({ path: at, problem }) => {
      const line = read.lineOf(at);
      return { file: basename(path), ...(line === undefined ? {} : { line }), key: keyOf(at), problem };
    }),
  };
}

/** A tree alone: every tool and every parameter counts as named. */
function ofTree(path: string): FlowFound {
  const file = basename(path);
  const name = file.replace(/\.[^.]+$/, '');
  const bad = (faults: readonly AppFault[]) => ({ name, flow: undefined, faults, notes: [] });
  if (statSync(path).size > TREE_LIMITS.BYTES_MAX)
    return bad([{ file, problem: `has more than ${TREE_LIMITS.BYTES_MAX / 1024} KiB` }]);
  const read = readTree(readFileSync(path, 'utf8'));
  if (!read.ok) {
    const { ok: _, ...fault } = read;
    return bad([{ file, ...fault }]);
  }
  const parts = { name, tools: ['*'], defaults: {}, params: undefined, deadlineMs: DEADLINE_MS };
  const made = compileTree(read.tree, parts);
  const placed = (faults: readonly TreeFault[]) => faults.map((fault) => ({ file, ...fault }));
  return made.ok
    ? { name, flow: made.flow, faults: [], notes: placed(made.notes) }
    : bad(placed(made.faults));
}

/** What a reader of the check of a package should know about its behavior tree. */
export function treeNotes({ tree, flowPath }: AppPackage): readonly AppFault[] {
  return tree ? expandTree(tree).notes.map((note) => ({ file: flowPath, ...note })) : [];
}
