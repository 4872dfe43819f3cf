import { defineConfig } from 'vitest/config';

// Generous: on a busy host a property over thousands of events takes its time. What hangs is told all the same.
const common = { environment: 'node', pool: 'forks', testTimeout: 120_000, hookTimeout: 120_000 } as const;

/** `unit` needs nothing but this checkout; `peers` needs what test/peers installs; see scripts/test.mjs. */
export default defineConfig({
  test: {
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
          // Beside a compiler on the second core, a deadline of a tenth of a second may pass. vitest tells it.
          retry: 1,
        },
      },
      {
        test: {
          ...common,
          name: 'peers',
          include: ['test/integration/**/*.test.ts', 'test/simulation/**/*.test.ts'],
          // DDS discovery, Python peers and 20 processes on two cores: once more before it counts. vitest tells it.
          retry: 1,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // Two cores: peers and daemons side by side would measure each other.
          maxWorkers: 1,
          fileParallelism: false,
        },
      },
    ],
  },
});
