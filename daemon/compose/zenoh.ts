import { type DriverChoice, openKeySpace } from '../../adapters/zenoh/open-key-space.ts';
import { type CellContext, type ConfigChange, EdgeError, TOPICS } from '../../contract/core.ts';
import { KeySpaceKeeper, type KeySpaceUser } from '../execution/key-space-keeper.ts';
import type { Routes } from '../execution/routes/index.ts';
import type { Settings } from '../settings.ts';
import { asksForZenoh, driverOptions, zenohOptions } from './zenoh-options.ts';

/** The key space of this robot, with who lives on it; undefined where it is switched off. */
export async function makeZenoh(
  { config }: Settings,
  { clock, emit, report, bus }: CellContext,
  routes: Routes,
  others: readonly KeySpaceUser[] = [],
): Promise<KeySpaceKeeper | undefined> {
  if (!config.zenoh.enabled) return undefined;
  let choice: DriverChoice | undefined;
  let zenoh = config.zenoh;
  const keeper = new KeySpaceKeeper({
    clock,
    driver: () => choice?.driver ?? 'none',
    isAsked: () => asksForZenoh({ ...config, zenoh }, process.env),
    async open() {
      // Certificates are read at each opening: a renewed one counts from then on.
      const options = {
        ...driverOptions(zenoh),
        bulkConnection: zenoh.bulk_connection,
        ...zenohOptions(zenoh, process.env, clock.now()),
      };
      const opened = await openKeySpace(options, {
        clock,
        onFault: (error) => report('warn', error.message, { code: error.code }),
      });
      choice = opened.choice;
      report('info', `Zenoh driver: ${choice.driver}`, { why: choice.why });
      return opened.keySpace;
    },
    users: [routes, ...others],
    onFault: (error) => {
      report('warn', error.message, { code: error.code, hint: error.hint });
      emit([{ kind: 'cell.degraded', payload: { error: error.toBody() } }]).catch((thrown: unknown) =>
        report('warn', 'an event was not written', { error: String(thrown) }),
      );
    },
  }); // Policies and endpoints are those of a session: a change of them opens a new session, and this cell keeps running.
  bus.onBroadcast(TOPICS.configChanged, (body) => {
    const { sections, config: changed } = body as ConfigChange;
    if (!sections.includes('zenoh')) return;
    const next = (changed as Settings['config']).zenoh;
    try {
      zenohOptions(next, process.env, clock.now());
    } catch (thrown) {
      const { code, message, hint } = EdgeError.from(thrown, 'config.invalid', 'reload', 'zenoh');
      return report('error', `the Zenoh session stays as it is: ${message}`, { code, hint });
    }
    zenoh = next;
    report('info', 'the Zenoh session is opened again: its configuration changed');
    void keeper.renew('the configuration changed');
  });
  return keeper;
}
