import { fileURLToPath } from 'node:url';
import {
  loadAppModule,
  type ReadPackage,
  type ShelfRules,
  withModule,
} from '../../adapters/packages/index.ts';
import { type Application, type AppPackage, EdgeError } from '../../contract/core.ts';
import type { Config } from '../config.ts';
import { withForesight } from './cosmos.ts';
import { withHarness } from './pi.ts';

/** The packages that come with the daemon. */
const SHIPPED = fileURLToPath(new URL('../../apps', import.meta.url));

type Keys = {
  readonly config: Pick<Config, 'apps' | 'controllers' | 'cosmos' | 'models'>;
  /** Of now, where models are added and removed while the daemon runs; absent: those of the configuration. */
  readonly modelsNow?: () => Config['models'];
};

/** Packages are loaded with their code, as the configuration wants them. */
export function loadRules(settings: Keys): ShelfRules {
  const make: ShelfRules['make'] = (read, folder) => asConfigured(loaded(read, folder), settings);
  return { ...unreadRules(settings), keeps: true, make };
}

/** The same, and no code of a package runs and nothing is written: for the command line. */
export function unreadRules({ config, modelsNow }: Keys): ShelfRules {
  const { apps, controllers, models } = config;
  const now = modelsNow ?? (() => models);
  const names = controllers.map(({ name }) => name);
  return {
    shipped: apps.shipped ? SHIPPED : undefined,
    keeps: false,
    // What its module adds is not known without running it.
    make: (read, folder) =>
      read.pkg.manifest.module === undefined
        ? asConfigured(read.make(folder), { config })
        : read.make(folder),
    lacks: ({ manifest: { needs } }) =>
      (needs?.model === true ? lacksModel(now()) : undefined) ?? lacks(needs?.controllers, names),
  };
}

/** A good package as the runtime runs it. Throws `extension.failed` where its module cannot be used. */
export function loaded(read: ReadPackage & { readonly ok: true }, folder: string): Application {
  const { module, tools = [] } = read.pkg.manifest;
  const app = read.make(folder);
  return module === undefined ? app : withModule(app, module, tools, loadAppModule(folder, module));
}

/** Agents act by calling tools: a model that calls none leads none. */
function lacksModel(models: Config['models']): string | undefined {
  if (models.some(({ tools }) => tools)) return undefined;
  if (models.length === 0) return 'it needs a model: [[models]], see docs/models.md';
  const names = models.map(({ name }) => name).join(', ');
  return `it needs a model that calls tools, and ${names} calls none: auraison models add PROVIDER`;
}

function lacks(
  wanted: NonNullable<AppPackage['manifest']['needs']>['controllers'],
  there: readonly string[],
) {
  if (!wanted || wanted.some((name) => there.includes(name))) return undefined;
  return `it needs a controller: one of ${wanted.join(', ')} in [[controllers]]`;
}

/** Whether the configuration has this application led by its agent instead of its flow. */
export function runsAsAgent(name: string, { config: { apps } }: Keys): boolean {
  return [...apps.as_agent, ...(apps.turtlebot_maze === 'pi' ? ['turtlebot-maze'] : [])].includes(name);
}

function asConfigured(app: Application, settings: Keys): Application {
  const asAgent = runsAsAgent(app.name, settings);
  if (asAgent && !app.agent)
    throw new EdgeError('config.invalid', {
      operation: 'load application',
      subject: app.name,
      message: 'apps.as_agent names it, and it has no agent',
    });
  return withForesight(asAgent ? withHarness(app, 'pi') : app, settings);
}
