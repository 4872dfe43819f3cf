import { Door, DoorGate, type DoorParts, TopicClasses } from '../../daemon/execution/door/index.ts';

/** A door in the cell of a test: nobody has the lease, nothing is stopped, unless the test says so. */
export function doorOf(parts: Pick<DoorParts, 'clock'> & Partial<DoorParts>): Door {
  return new Door({
    latch: { engaged: false },
    lease: () => undefined,
    topics: new TopicClasses({ obeys: ['/cmd_vel'] }),
    gate: new DoorGate({ speeds: { linearMax: 1, angularMax: 2 }, base: ['/cmd_vel'] }),
    note: () => {},
    ...parts,
  });
}
