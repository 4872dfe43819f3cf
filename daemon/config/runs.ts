import { LIMITS } from '../../contract/core.ts';
import { integer, quantity } from './spec.ts';

/** How runs share the host; applications may narrow it for themselves (`sharing`). */
export const RUNS_KEYS = {
  runs_per_app: integer(1, 'runs of one application at a time, where it says nothing itself', {
    min: 1,
    max: 256,
  }),
  queue_per_app: integer(
    LIMITS.RUN_QUEUE_MAX,
    'runs of one application that may wait, where it says nothing itself; beyond it an intent is refused',
    { min: 1, max: 10_000 },
  ),
  runs_max: integer(32, 'runs of all applications at a time; runs that runs ask for do not count', {
    min: 1,
    max: 1_024,
  }),
  aging: quantity('duration', '30 s', 'a run that waits this long is one level of priority more urgent', {
    min: 100,
    max: 86_400_000,
  }),
  model_queue_max: integer(
    8,
    'no further agent starts while more requests than this wait at the models; 0: no limit',
    { min: 0, max: 100_000 },
  ),
  load_max: integer(
    8,
    'no further agent starts while the load of the last minute, per core, is above this; 0: no limit',
    { min: 0, max: 10_000 },
  ),
  memory_pressure_max: integer(
    20,
    'no further agent starts while tasks wait for memory for more than this share of the time (PSI some, 10 s), percent; 0: no limit',
    { min: 0, max: 100 },
  ),
  pressure_wait: quantity(
    'duration',
    '30 s',
    'longest that this holds back an agent while no other one is running',
    { max: 86_400_000 },
  ),
} as const;
