import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { type CellContext, IdSource, toMs } from '../../contract/core.ts';
import { RecallOnUse } from '../memory/recall-on-use.ts';
import { recallModelDirs } from '../paths.ts';
import type { Settings } from '../settings.ts';

/** Recall of the memory cell; nothing of it is loaded before the first question. */
export function makeRecall(settings: Settings, context: CellContext): RecallOnUse {
  const { config, dataDir } = settings;
  const { clock } = context;
  return new RecallOnUse(async () => {
    const [{ RecallDesk }, { FolderShelf, SqliteRecallIndex }, text] = await Promise.all([
      import('../memory/recall-desk.ts'),
      import('../../adapters/recall/index.ts'),
      import('../../adapters/onnx/text/index.ts'),
    ]);
    const { documents, document_size } = config.recall;
    return new RecallDesk(context, {
      openIndex: () => SqliteRecallIndex.open(join(dataDir, 'recall', 'index.sqlite')),
      openReader: (cell) => openEventReader(dataDir, cell),
      shelf: new FolderShelf({ places: documents, bytesMax: document_size }),
      findEmbedder: text.textModelFinder({
        clock,
        isOff: config.recall.model === 'off',
        directories: recallModelDirs(dataDir, process.env),
      }),
      ids: new IdSource(() => toMs(clock.now()), randomBytes),
    });
  });
}
