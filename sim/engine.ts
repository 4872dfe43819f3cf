import loadMujoco, { type MainModule } from '@mujoco/mujoco';

let loading: Promise<MainModule> | undefined;

/** MuJoCo, once for all worlds of this process: each load would take memory of its own, and a fifth of a second. */
export function loadEngine(): Promise<MainModule> {
  loading ??= loadMujoco().catch((cause: unknown) => {
    loading = undefined;
    throw cause;
  });
  return loading;
}
