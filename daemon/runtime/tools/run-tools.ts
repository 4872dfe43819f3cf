import { type CellBus, type Clock, LIMITS, type Tool } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { askClip, clipDeadlineMs } from '../robot/ask-clip.ts';
import { closed, houseTool, Seconds, Words } from './kit.ts';

const AFTER_S_MAX = 600;

/** What a run does with itself: keep what was recorded, and end. */
export function runTools(bus: Pick<CellBus, 'request'>, clock: Clock): readonly Tool[] {
  return [
    houseTool({
      name: 'recorder.clip',
      description:
        'Keeps what the robot records around now as a recording of its own, and says where it is when it is ' +
        'whole. For what somebody should look at later.',
      input: Type.Object(
        {
          name: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$',
              description: 'last part of the name of the recording',
            }),
          ),
          before_s: Seconds(0, LIMITS.CLIP_SPAN_MS_MAX / 1000, 'kept of what was before now'),
          after_s: Seconds(0, AFTER_S_MAX, 'kept of what comes; the call returns when it is over'),
        },
        closed,
      ),
      effect: 'write',
      replay: 'safe',
      deadlineMs: LIMITS.CLIP_TOOL_MS,
      callDeadlineMs: ({ after_s }) => clipDeadlineMs(after_s),
      run: async ({ name, before_s, after_s }, { callId }) => ({
        result: await askClip({ bus, clock }, 'recorder.clip', {
          callId,
          name,
          beforeS: before_s,
          afterS: after_s,
        }),
      }),
    }),
    houseTool({
      name: 'run.finish',
      description:
        'Ends this run. Call it once, when the task is done or cannot be done, with a reason that a person ' +
        'understands. Nothing can be called after it.',
      input: Type.Object(
        {
          status: Type.Union([Type.Literal('succeeded'), Type.Literal('failed')], {
            description: 'whether what was asked for has been done',
          }),
          reason: Words(512, 'what was done, or what kept it from being done'),
          score: Type.Optional(
            Type.Number({ minimum: 0, maximum: 1, description: 'how much of it was done, 0 to 1' }),
          ),
        },
        closed,
      ),
      effect: 'write',
      // Says what the harness is to do; the end of the run is what the harness writes.
      replay: 'safe',
      deadlineMs: 1_000,
      run: async ({ status, reason, score }) => ({
        result: { finished: true, status, reason, ...(score === undefined ? {} : { score }) },
      }),
    }),
  ];
}
