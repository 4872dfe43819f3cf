import {
  type CellContext,
  checkFresh,
  type EventPayload,
  fieldsOf,
  LIMITS,
  METHODS,
  neededText,
} from '../../contract/core.ts';
import { adoptBag } from '../../io/adopt-bag.ts';
import type { BagPlayer } from './bag-player.ts';
import { noteStop } from './note-stop.ts';
import { principalOf } from './robot-requests.ts';

/** What other cells may ask about bags: play one, steer it, take an imported one into the log. */
export function serveBags(
  { bus, clock, dataDir, emit, report }: CellContext,
  player: BagPlayer,
  onAdopted: (segment: EventPayload<'segment.sealed'>) => void,
  /** Throws `robot.preempted` for what was wanted before the last stop. */
  wanted: (operation: string, subject: string, wantedAtMs: number) => void,
): void {
  const { bagPlay, bagPlayState, bagPlayStop, bagPlayControl, bagAdopt } = METHODS.execution;
  bus.handle(bagPlay, async (options, from, madeAtMs, wantedAtMs) => {
    // A play of commands that waited in a frozen process is no longer wanted.
    if (options.allowCommands === true)
      checkFresh('bag play', options.path, madeAtMs, clock.monotonicMs(), LIMITS.MOTION_EXPIRY_MS);
    return player.start(options, from, wantedAtMs);
  });
  bus.handle(bagPlayState, async (body) => player.state(body.id));
  // After the stop, which does not wait for the log.
  const note = (id: string, what: string, by: string | undefined) => {
    const reason = `play ${id} ${what}`;
    noteStop({ emit, report }, reason, by);
  };
  bus.handle(bagPlayStop, async (body) => {
    const id = idOf(body, player);
    const moved = player.drives(id);
    const stopped = player.stop(id);
    if (moved) note(id, 'was stopped', principalOf(fieldsOf(body)['by']));
    return await stopped;
  });
  bus.handle(bagPlayControl, async ({ id, by, ...order }, _from, _madeAtMs, wantedAtMs) => {
    // A pause is a stop, and is taken however old it is.
    if (order.action !== 'pause') wanted(`${order.action} play`, id, wantedAtMs);
    const moved = player.drives(id);
    const state = player.control(id, order);
    if (moved && order.action === 'pause') note(id, 'was paused', by);
    return state;
  });
  bus.handle(bagAdopt, async (body) => {
    const { bag, segments } = await adoptBag(dataDir, body.bag, emit, onAdopted);
    return {
      bag,
      segments: segments.map(({ path, sha256, bytes, messages, repaired }) => ({
        bag,
        path,
        sha256,
        bytes,
        messages,
        repaired,
      })),
    };
  });
}

/** One bag plays at a time: a stop that names none as text is for that one. */
function idOf(body: unknown, player: BagPlayer): string {
  const { id } = fieldsOf(body);
  if (typeof id === 'string' && id !== '') return id;
  return player.current() ?? neededText('bag.play_stop', body, 'id');
}
