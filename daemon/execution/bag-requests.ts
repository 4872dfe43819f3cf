import { type CellContext, checkFresh, type EventPayload, LIMITS, METHODS } from '../../contract/core.ts';
import { adoptBag } from '../../io/adopt-bag.ts';
import type { BagPlayer, PlayOptions, PlayOrder } from './bag-player.ts';

/** What other cells may ask about bags: play one, steer it, take an imported one into the log. */
export function serveBags(
  { bus, clock, dataDir, emit }: CellContext,
  player: BagPlayer,
  onAdopted: (segment: EventPayload<'segment.sealed'>) => void,
): void {
  const { bagPlay, bagPlayState, bagPlayStop, bagPlayControl, bagAdopt } = METHODS.execution;
  bus.handle(bagPlay, async (body, from, madeAtMs) => {
    const options = body as PlayOptions;
    // A play of commands that waited in a frozen process is no longer wanted.
    if (options.allowCommands === true)
      checkFresh('bag play', options.path, madeAtMs, clock.monotonicMs(), LIMITS.MOTION_EXPIRY_MS);
    return player.start(options, from);
  });
  bus.handle(bagPlayState, async (body) => player.state((body as { id: string }).id));
  bus.handle(bagPlayStop, async (body) => player.stop((body as { id: string }).id));
  bus.handle(bagPlayControl, async (body) => {
    const { id, ...order } = body as { id: string } & PlayOrder;
    return player.control(id, order);
  });
  bus.handle(bagAdopt, async (body) => {
    const { bag, segments } = await adoptBag(dataDir, (body as { bag: string }).bag, emit, onAdopted);
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
