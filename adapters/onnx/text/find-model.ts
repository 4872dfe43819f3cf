import type { Clock, TextEmbedder } from '../../../contract/core.ts';
import { findTextModel } from './text-model.ts';
import { TextProcess } from './text-process.ts';

export type FinderOptions = {
  readonly clock: Clock;
  /** The configuration wants no model. */
  readonly isOff: boolean;
  readonly directories: readonly string[];
};
export type FoundModel = { readonly embedder: TextEmbedder } | { readonly why: string };

/** Looks at each call: a model that was installed meanwhile is taken. The same folder gives the same process. */
export function textModelFinder({ clock, isOff, directories }: FinderOptions): () => FoundModel {
  let known: { readonly folder: string; readonly embedder: TextEmbedder } | undefined;
  return () => {
    if (isOff) return { why: 'searched by words only: recall.model = "off" in the configuration' };
    const folder = findTextModel(directories);
    if (folder === undefined)
      return {
        why: 'searched by words only: no model is installed; install it with `auraison models add recall`',
      };
    if (known?.folder !== folder) {
      known?.embedder.rest();
      known = { folder, embedder: new TextProcess(clock, folder) };
    }
    return { embedder: known.embedder };
  };
}
