import { configDefaults, defineConfig } from 'vitest/config';
import { ISOLATED } from './scripts/testing/isolated.mjs';
import { LongestFirst } from './scripts/testing/longest-first.mjs';
import { PEER_WORKERS } from './scripts/testing/workers.mjs';

// Generous: on a busy host a property over thousands of events takes its time. What hangs is still reported.
const common = {
  environment: 'node',
  pool: 'forks',
  testTimeout: 120_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 30_000 } },
} as const;

/** Spies and replaced globals end with their test: the next file may run in the same process. */
const quick = {
  ...common,
  restoreMocks: true,
  maxWorkers: 2,
  sequence: { groupOrder: 0 },
} as const;

/**
 * Node imports the TypeScript itself, as it does on a robot: nothing is transformed, and a run takes a third less.
 *
 * `unit` needs nothing but this checkout, and its files share processes and loaded modules: that takes a third less.
 * `unit-isolated` are the few that cannot. `peers` needs what test/peers installs. No test is retried where it
 * stands: scripts/test.mjs repeats a failed file once, alone, at the end.
 */
export default defineConfig({
  test: {
    experimental: { viteModuleRunner: false },
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...quick,
          name: 'unit',
          isolate: false,
          include: [
            'test/tidy.test.ts',
            'test/unit/**/*.test.ts',
            'test/golden/**/*.test.ts',
            'apps/**/*.test.ts',
          ],
          exclude: [...configDefaults.exclude, ...ISOLATED],
        },
      },
      { test: { ...quick, name: 'unit-isolated', include: ISOLATED } },
      {
        test: {
          ...common,
          name: 'peers',
          include: ['test/integration/**/*.test.ts', 'test/simulation/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // What measures against the clock runs alone (scripts/testing/lanes.mjs).
          maxWorkers: Number(process.env['TEST_PEER_WORKERS'] ?? PEER_WORKERS),
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
