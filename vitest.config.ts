import { defineConfig } from 'vitest/config';
import { LongestFirst } from './scripts/testing/longest-first.mjs';

// Generous: on a busy host a property over thousands of events takes its time. What hangs is still reported.
const common = { environment: 'node', pool: 'forks', testTimeout: 120_000, hookTimeout: 120_000 } as const;

/**
 * Node imports the TypeScript itself, as it does on a robot: nothing is transformed, and a run takes a third less.
 *
 * `unit` needs nothing but this checkout; `peers` needs what test/peers installs. No test is retried where it
 * stands: scripts/test.mjs repeats a failed file once, alone, at the end.
 */
export default defineConfig({
  test: {
    experimental: { viteModuleRunner: false },
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: [
            'test/tidy.test.ts',
            'test/unit/**/*.test.ts',
            'test/golden/**/*.test.ts',
            'apps/**/*.test.ts',
          ],
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...common,
          name: 'peers',
          include: ['test/integration/**/*.test.ts', 'test/simulation/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // They mostly wait for their peers. What measures against the clock runs alone (scripts/testing/lanes.mjs).
          maxWorkers: 2,
        },
      },
    ],
  },
});
