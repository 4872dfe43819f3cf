import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { EdgeError } from '../../contract/index.ts';
import { keySpaceConformance } from '../conformance/key-space.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { sleep } from '../support/key-values.ts';

keySpaceConformance('memory', {
  async connect() {
    const [clock, fabric, faults] = [new SystemClock(), new MemoryFabric(), [] as EdgeError[]];
    const make = () => new MemoryKeySpace(clock, fabric, (fault) => faults.push(fault));
    const settle = () => sleep(5);
    return { here: make(), there: make(), faults, settle };
  },
});
