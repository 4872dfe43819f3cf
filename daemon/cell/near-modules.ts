import { registerHooks } from 'node:module';

/**
 * Loaded into each cell and its threads before their own code (`--import`, see `compose/cell-flags.ts`). The cells load
 * some 2,000 files of this project by relative names. Node asks the disk four times where each of them is and what it
 * is. Their name says both: that is a quarter of the time that a cell needs to load.
 */
const ROOT = new URL('../../', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const { parentURL = '' } = context;
    const isNear = specifier.startsWith('.') && specifier.endsWith('.ts') && parentURL.startsWith(ROOT);
    if (!isNear) return next(specifier, context);
    const { href } = new URL(specifier, parentURL);
    // Node takes the types out of no file below a node_modules, and says so itself.
    if (!href.startsWith(ROOT) || href.includes('/node_modules/', ROOT.length))
      return next(specifier, context);
    return { url: href, format: 'module-typescript', shortCircuit: true };
  },
});
