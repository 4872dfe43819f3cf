import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { installTextModel, TEXT_MODEL } from '../../adapters/onnx/text/index.ts';
import { recallModelDirs } from '../../daemon/paths.ts';
import type { CommandContext } from '../context.ts';

const FROM = { present: 'was there', copy: 'copied from where it lay', registry: 'from the Python registry' };

/**
 * Installs the model by which recall finds texts of the same meaning. Into the cache of the caller; beside the data where
 * a data directory is named, so that a daemon of another user finds it. A running daemon takes it at the next question.
 */
export async function addRecall({ settings, out }: CommandContext): Promise<number> {
  const abort = new AbortController();
  const onSignal = () => abort.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const { config, dataDir } = settings;
    const [beside, ...caches] = recallModelDirs(dataDir, process.env);
    const isNamed = config.daemon.data_dir !== '';
    const installed = await installTextModel({
      directory: isNamed ? beside! : caches[0]!,
      others: isNamed ? caches : [beside!],
      python: config.dataset.python || 'python3',
      ...{ clock: new SystemClock(), signal: abort.signal, note: (text) => out.note(`[recall] ${text}`) },
    });
    const isOff = config.recall.model === 'off';
    out.result({ model: TEXT_MODEL.name, ...installed, off: isOff }, () =>
      [
        `${TEXT_MODEL.name}: ${installed.folder} (${FROM[installed.from]})`,
        isOff
          ? 'recall.model = "off" in the configuration: recall searches by words only until it is "auto"'
          : 'recall searches by meaning from the next question on; a running daemon needs no restart',
      ].join('\n'),
    );
    return 0;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
