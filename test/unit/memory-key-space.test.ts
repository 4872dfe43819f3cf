import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { EdgeError } from '../../contract/index.ts';
import { keySpaceConformance } from '../conformance/key-space.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';

keySpaceConformance('memory', {
  settleMs: 5,
  async connect() {
    const [clock, fabric, faults] = [new SystemClock(), new MemoryFabric(), [] as EdgeError[]];
    const make = () => new MemoryKeySpace(clock, fabric, (fault) => faults.push(fault));
    return { here: make(), there: make(), faults };
  },
});
