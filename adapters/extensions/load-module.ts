import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { EdgeError, type ExtensionFactory } from '../../contract/core.ts';

const MARK = 'extension';
let hooked = false;
let loads = 0;

/**
 * The factory that a module exports by default, read again: Node's own type stripping, never its cache. What the module
 * imports beside itself is read again too. A module that was loaded stays in memory; only a changed one is loaded
 * again.
 */
export async function loadModule(path: string): Promise<ExtensionFactory> {
  hook();
  const url = `${pathToFileURL(path).href}?${MARK}=${++loads}`;
  const module = (await import(/* @vite-ignore */ url)) as { readonly default?: unknown };
  if (typeof module.default === 'function') return module.default as ExtensionFactory;
  throw new EdgeError('extension.failed', {
    operation: 'load',
    subject: path,
    message: 'it exports no function by default',
    hint: 'export default function (pi) { … }',
  });
}

/** Whether a stack goes through a module that was loaded here. */
export function isMarked(stack: string): boolean {
  return stack.includes(`?${MARK}=`);
}

/** What an extension imports by a relative name has the mark of its importer. */
function hook(): void {
  if (hooked) return;
  hooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      if (!specifier.startsWith('.') || !found.url.startsWith('file:') || found.url.includes('?'))
        return found;
      const mark = new RegExp(`\\?${MARK}=\\d+$`).exec(context.parentURL ?? '')?.[0];
      return mark === undefined ? found : { ...found, url: found.url + mark };
    },
  });
}
