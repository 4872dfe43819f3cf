import { hostClockQuality } from '../../adapters/clock/host-clock-quality.ts';
import type { CellContext } from '../../contract/core.ts';
import { ClockWatch } from '../execution/clock/clock-watch.ts';
import type { Recorder } from '../execution/recorder/index.ts';
import type { Settings } from '../settings.ts';

/** Watches the clock of this host and the stamps of its robot; what is found stands in events and segments. */
export function makeClockWatch(
  { config }: Settings,
  { clock, emit, report }: CellContext,
  recorder: Recorder | undefined,
): ClockWatch {
  return new ClockWatch({
    clock,
    ask: () => hostClockQuality(),
    source: config.robot.source,
    isSimulated: config.robot.source === 'sim',
    emit,
    report,
    onChange: (facts) => recorder?.note('clock', { ...facts }),
  });
}
