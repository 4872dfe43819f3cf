import { type CellContext, type Clock, EdgeError, type KeySpace, type Policy } from '../../contract/core.ts';
import type { RemoteCard } from '../../formats/policy-wire/remote-card.ts';
import type { PolicyRow } from '../config/policies.ts';
import { readSecret } from '../secrets.ts';

/** What making a policy may need. Packages are imported where a row asks for them. */
export type PolicyMakerDeps = {
  readonly clock: Clock;
  readonly robot: string;
  /** The Zenoh session now. */
  readonly keySpace: () => KeySpace | undefined;
  readonly report: CellContext['report'];
};
/** As `PolicySpec.make`. */
export type PolicyMaker = (row: PolicyRow, deps: PolicyMakerDeps, whole: boolean) => Promise<Policy>;

/** Standard deviations of the episode from which on an observation is another one. */
const DIVERGENCE_MAX = 1;

/** Policies behind servers of other makes, and recorded ones; packages are loaded where a row asks for them. */
export const REMOTE_MAKERS = {
  async lerobot(row, { clock }) {
    const { connectLeRobot } = await import('../../adapters/lerobot/index.ts');
    const { url, policy, timeout, tls_ca, tls_cert, tls_key } = row;
    return connectLeRobot({
      url,
      policy,
      tls: {
        ...(tls_ca === '' ? {} : { ca: tls_ca }),
        ...(tls_cert === '' ? {} : { cert: tls_cert }),
        ...(tls_key === '' ? {} : { key: tls_key }),
      },
      token: tokenOf(row),
      connectMs: timeout,
      card: await cardFor(row),
      clock,
    });
  },
  async openpi(row, { clock }) {
    const { connectOpenPi } = await import('../../adapters/openpi/index.ts');
    const { url, policy, timeout } = row;
    return connectOpenPi({
      url,
      policy,
      token: tokenOf(row),
      connectMs: timeout,
      card: await cardFor(row),
      clock,
    });
  },
  async groot(row, { clock }) {
    const { connectGroot } = await import('../../adapters/groot/index.ts');
    const { url, timeout } = row;
    return connectGroot({ url, token: tokenOf(row), connectMs: timeout, card: await cardFor(row), clock });
  },
  async episode({ name, path, policy }, { clock, report }) {
    const { EpisodePolicy } = await import('../../adapters/lerobot-dataset/episode-policy.ts');
    const { DatasetReader } = await import('../../adapters/lerobot-dataset/dataset-reader.ts');
    const { DuckParquetFiles } = await import('../../adapters/ducklake/parquet-files.ts');
    const parquet = new DuckParquetFiles();
    try {
      const reader = await DatasetReader.open({ root: path, parquet, clock, ffmpeg: '', pictures: false });
      const episode = reader.episode(policy === '' ? 0 : Number(policy));
      return await EpisodePolicy.load({
        ...{ name, spec: reader.spec, episode, divergenceMax: DIVERGENCE_MAX },
        onDivergence: (distance, frame) =>
          report('warn', `${name}: what is observed is not what was recorded`, { distance, frame }),
      });
    } catch (thrown) {
      throw EdgeError.from(thrown, 'model.unavailable', 'load policy', name);
    } finally {
      await parquet.close();
    }
  },
} satisfies Readonly<Record<string, PolicyMaker>>;

/** Read at each making: a renewed token counts from then on. */
function tokenOf({ name, token_file }: PolicyRow): string | undefined {
  return readSecret(token_file, `policies.${name}.token_file`, process.env);
}

async function cardFor({ card }: PolicyRow): Promise<RemoteCard | undefined> {
  if (card === '') return undefined;
  const { readRemoteCard } = await import('../../io/remote-card-file.ts');
  return readRemoteCard(card);
}
