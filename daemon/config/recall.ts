import { choice, quantity, texts } from './spec.ts';

/** `[recall]`: what agents and people find again. */
export const RECALL_KEYS = {
  model: choice(
    ['auto', 'off'],
    'auto',
    'auto searches by meaning where the model is installed (auraison models add recall); off: by words only',
  ),
  documents: texts([], 'files and folders whose texts (.md, .txt) are found too; each an absolute path', {
    match: /^\/[^\0]*$/,
    expected: 'a list of absolute paths, for example ["/srv/robot/manuals"]',
  }),
  document_size: quantity('size', '1 MiB', 'a larger file is left out', { min: 1, max: 16 * 1024 * 1024 }),
};
