import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { checkFile, keyOf } from '../../adapters/packages/index.ts';
import { parsePlainYaml } from '../../adapters/skills/index.ts';
import { flowFileChecker } from '../../contract/apps/index.ts';
import { type AppFault, EdgeError, type FlowDefinition } from '../../contract/core.ts';
import { flowFaults } from '../runtime/flow/flow-check.ts';
import { compileFlow } from '../runtime/packages/compile-flow.ts';
import { referencesIn } from '../runtime/packages/references.ts';
import type { Settings } from '../settings.ts';
import { appsOnDisk, readPackage } from './package-reader.ts';
import { loaded } from './shelf-rules.ts';

/** A flow as people look at it, or what is wrong with it. */
export type FlowFound = {
  readonly name: string;
  readonly flow: FlowDefinition | undefined;
  readonly faults: readonly AppFault[];
};

/** A file that stands alone has no manifest that could end its steps, milliseconds. */
const DEADLINE_MS = 3_600_000;

/**
 * The flow of an application by its name or folder, or of one `flow.yaml`. Of a package with a module its code runs.
 * Throws `config.unreadable` where there is nothing of this name.
 */
export function flowOf(spec: string, settings: Settings): FlowFound {
  const path = resolve(spec);
  if (existsSync(path) && statSync(path).isFile()) {
    const folder = dirname(path);
    const isOfPackage = basename(path) === 'flow.yaml' && existsSync(join(folder, 'app.toml'));
    return isOfPackage ? ofPackage(folder) : ofFile(path);
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

function ofPackage(folder: string): FlowFound {
  const read = readPackage(folder, { keys: new Map(), requireSigned: false });
  if (!read.ok) return { name: read.name ?? basename(folder), flow: undefined, faults: read.faults };
  const { name } = read.pkg.manifest;
  try {
    const { flow } = loaded(read, folder);
    if (!flow) return { name, flow, faults: [{ file: 'app.toml', problem: 'it has an agent and no flow' }] };
    return {
      name,
      flow,
      faults: flowFaults(flow).map((problem) => ({ file: read.pkg.manifest.module ?? 'flow.yaml', problem })),
    };
  } catch (thrown) {
    const { message, hint } = EdgeError.from(thrown, 'extension.failed', 'load module', folder);
    return {
      name,
      flow: undefined,
      faults: [{ file: read.pkg.manifest.module ?? '.', problem: `${message}; ${hint}` }],
    };
  }
}

/** Without a manifest every tool and every parameter counts as named. */
function ofFile(path: string): FlowFound {
  const name = basename(path).replace(/\.[^.]+$/, '');
  const read = checkFile(basename(path), parsePlainYaml(readFileSync(path, 'utf8')), flowFileChecker);
  if (!read.ok) return { name, flow: undefined, faults: read.faults };
  const params = new Set(
    referencesIn(read.value).flatMap(([root, one]) => (root === 'params' && one ? one : [])),
  );
  const parts = { name, tools: ['*'], defaults: {}, params, deadlineMs: DEADLINE_MS };
  const made = compileFlow(read.value, parts);
  if (made.ok) return { name, flow: made.flow, faults: [] };
  return {
    name,
    flow: undefined,
    faults: made.faults.map(({ path: at, problem }) => {
      const line = read.lineOf(at);
      return { file: basename(path), ...(line === undefined ? {} : { line }), key: keyOf(at), problem };
    }),
  };
}
