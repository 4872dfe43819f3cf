// Tests that need a process of their own: they replace modules (vi.mock), or count what other files count too.
export const ISOLATED = [
  'test/golden/schemas.test.ts',
  'test/unit/clock-beats.test.ts',
  'test/unit/lake-aside.test.ts',
  'test/unit/stop-store.test.ts',
  'test/unit/zenoh-delivery.test.ts',
];
