import type { ControllerSpec, InputSpec } from '../../daemon/execution/controllers/controller-spec.ts';

export function inputSpec(over: Partial<InputSpec> = {}): InputSpec {
  return {
    name: 'observation.state',
    topic: '/joint_states',
    joints: ['a', 'b'],
    field: 'position',
    ageMaxMs: 100,
    fit: 'stretch',
    crop: [],
    ...over,
  };
}

/** Two joints at 100 Hz. */
export function controllerSpec(over: Partial<ControllerSpec> = {}): ControllerSpec {
  return {
    name: 'arm',
    rateHz: 100,
    policy: 'pick',
    output: { topic: '/commands', kind: 'positions', stamped: false, names: ['a', 'b'] },
    state: '/joint_states',
    stateAgeMaxMs: 100,
    inputs: [inputSpec()],
    aggregation: 'latest_only',
    ensembleCoefficient: 0.01,
    threshold: 0.5,
    horizon: 0,
    horizonMaxMs: 1_000,
    outsideMax: 2,
    blend: false,
    interpolate: false,
    inferTimeoutMs: 1_000,
    starvation: 'hold',
    decelerateMs: 200,
    retract: [],
    retractSpeed: 0.5,
    ...over,
  };
}
