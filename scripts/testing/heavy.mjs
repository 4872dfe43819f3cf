// Tests that keep both processors busy by themselves: one of them at a time, in a lane of their own. Side by side they
// starve one another, and whatever runs beside them, until deadlines of minutes are too short.
export const HEAVY = [
  'test/integration/bundle.test.ts',
  'test/integration/engine-vllm.test.ts',
  'test/integration/flywheel.test.ts',
  'test/integration/kills.test.ts',
  'test/integration/maze-real-model.test.ts',
  'test/integration/models-llama.test.ts',
  'test/integration/models-vllm.test.ts',
  'test/integration/policy-training.test.ts',
  'test/integration/power-cut.test.ts',
  'test/simulation/blind-lidar.test.ts',
  'test/simulation/demo-again.test.ts',
  'test/simulation/faults-real.test.ts',
  'test/simulation/faults.test.ts',
  'test/simulation/kill-cells.test.ts',
  'test/simulation/mazes.test.ts',
  'test/simulation/shutdown.test.ts',
];
