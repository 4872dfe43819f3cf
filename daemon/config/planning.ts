import { choice, flag, integer, quantity, texts } from './spec.ts';

/** `[planning]`: System 2 plans, see docs/planning.md. */
export const PLANNING_KEYS = {
  enabled: flag(true, 'plans can be asked for: the intent plan, the tools plan.make and plan.run'),
  subgoals: texts(
    ['robot.navigate', 'robot.maneuver', 'arm.*', 'controller.run'],
    'what steps of plans may be: tools by name or pattern, and types of intents such as "maze/find_exit"',
  ),
  steps_max: integer(16, 'steps of one plan', { min: 1, max: 64 }),
  replans_max: integer(3, 'further plans after one that failed', { min: 0, max: 16 }),
  duration_max: quantity('duration', '30 min', 'robot time that the steps of one plan may take together', {
    min: 1_000,
    max: 86_400_000,
  }),
  timeout: quantity('duration', '1 min', 'for making one plan', { min: 100, max: 600_000 }),
  answers_max: integer(
    3,
    'answers of models that are tried for one plan: each gets the faults of the one before',
    {
      min: 1,
      max: 8,
    },
  ),
  max_tokens: integer(2_048, 'tokens of one answer', { min: 64, max: 65_536 }),
  camera: choice(['auto', 'never'], 'auto', 'auto: a model that sees is shown what the camera sees'),
  prefer: texts([], 'names of [[models]] that are asked first'),
} as const;
