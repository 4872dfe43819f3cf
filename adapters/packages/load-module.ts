import { createRequire, registerHooks } from 'node:module';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Application, type AppModule, EdgeError } from '../../contract/core.ts';

/** What the code of a package imports of this one: the contract. */
export const DOOR = 'auraison-edge';
const CONTRACT = new URL('../../contract/index.ts', import.meta.url).href;
/** Packed, it has no types that Node would have to take out. */
const CONTRACT_FORMAT = CONTRACT.endsWith('.ts') ? 'module-typescript' : 'module';
const KEYS: ReadonlySet<string> = new Set([
  'flow',
  'agent',
  'tools',
  'foresight',
] satisfies (keyof AppModule)[]);

const folders = new Set<string>();
let hooked = false;

/**
 * What the module of a package exports as `application`. Node strips its types and loads it as it is, once for each
 * folder: another version lies in another folder. Runs its code, with the rights of this process. Throws
 * `extension.failed` with what is wrong.
 */
export function loadAppModule(folder: string, file: string): AppModule {
  hook();
  folders.add(folder);
  const path = join(folder, file);
  let found: { readonly application?: unknown };
  try {
    found = createRequire(path)(path) as typeof found;
  } catch (thrown) {
    throw broken(path, wordsOf(thrown), `it may import "${DOOR}", node: modules and files of its package`);
  }
  const { application } = found;
  if (typeof application !== 'object' || application === null)
    throw broken(path, 'it exports no application', 'export const application: AppModule = { flow, tools }');
  const other = Object.keys(application).find((key) => !KEYS.has(key));
  if (other !== undefined)
    throw broken(
      path,
      `application.${other} is not known (known: ${[...KEYS].join(', ')})`,
      'the rest stands in app.toml',
    );
  return application as AppModule;
}

/** The application with what its module adds. Throws `extension.failed` where the code wants more than app.toml names. */
export function withModule(
  app: Application,
  file: string,
  tools: readonly string[],
  module: AppModule,
): Application {
  const names = (list: readonly string[], what: string) => {
    const other = list.find((name) => !tools.some((pattern) => covers(pattern, name)));
    if (other === undefined) return;
    throw broken(
      file,
      `${what} names "${other}", and tools of app.toml does not`,
      'add it to tools of app.toml',
    );
  };
  names(module.flow?.tools ?? [], 'flow.tools');
  names(module.agent?.tools ?? [], 'agent.tools');
  names(
    (module.tools ?? []).map(({ spec }) => spec.name),
    'application.tools',
  );
  return { ...app, ...module };
}

/** Whether what this pattern permits holds all that the other names. */
function covers(pattern: string, name: string): boolean {
  return pattern === name || (pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1)));
}

function wordsOf(thrown: unknown): string {
  const { message = String(thrown), code } = thrown as NodeJS.ErrnoException;
  return code === 'ERR_REQUIRE_ASYNC_MODULE'
    ? 'it waits at its top level (await); load what it needs in a function'
    : (message.split('\n')[0] ?? '').slice(0, 400);
}

function broken(subject: string, message: string, hint: string): EdgeError {
  return new EdgeError('extension.failed', {
    operation: 'load module',
    subject,
    message,
    hint,
    retryable: false,
  });
}

/** The code of a package finds the contract by its name, wherever the package lies. */
function hook(): void {
  if (hooked) return;
  hooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === DOOR) return { url: CONTRACT, format: CONTRACT_FORMAT, shortCircuit: true };
      const found = next(specifier, context);
      return isOfPackage(found.url) && found.url.endsWith('.ts')
        ? { ...found, format: 'module-typescript' }
        : found;
    },
  });
}

function isOfPackage(url: string): boolean {
  if (!url.startsWith('file:')) return false;
  const path = fileURLToPath(url);
  return [...folders].some((folder) => path.startsWith(folder + sep));
}
