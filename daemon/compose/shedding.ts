import type { CellContext } from '../../contract/core.ts';
import { ShedGate } from '../runtime/models/shed-gate.ts';
import { ShedWatch } from '../runtime/models/shed-watch.ts';
import type { Settings } from '../settings.ts';

/** Models on this host give way before a control loop misses a step. */
export function makeShedding(
  { config }: Settings,
  { clock, bus, emit, report }: CellContext,
): { readonly gate: ShedGate; readonly watch: ShedWatch } {
  const gate = new ShedGate(clock);
  const watch = new ShedWatch({
    clock,
    bus,
    gate,
    first: config.model.shed_late / 100,
    emit: (events) => emit(events),
    report: (message, facts) => report('warn', message, facts),
  });
  return { gate, watch };
}
