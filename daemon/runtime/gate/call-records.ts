import { CALL_NOT_MADE, EdgeError, isStopTool, type NewEvent } from '../../../contract/index.ts';
import type { CallView, RunView } from '../runs/run-view.ts';
import type { Answered, Ask } from './tool-gate-parts.ts';

/** Makes a name that a model invented fit for the log. */
export function loggable(tool: string): string {
  const name = tool.replace(/[^A-Za-z0-9._/-]/g, '_').slice(0, 128);
  return /^[A-Za-z0-9]/.test(name) ? name : `unknown${name}`.slice(0, 128);
}

export function replayed(call: CallView): Answered {
  if (call.answer?.ok) {
    const { result, images } = call.answer;
    return images ? { result, images } : { result };
  }
  throw call.answer ? EdgeError.fromBody(call.answer.error) : interruption(call, 'it has no answer');
}

export function interruption(call: CallView, why: string): EdgeError {
  return new EdgeError('run.interrupted', {
    operation: 'call',
    subject: call.tool,
    message: `the call was interrupted by a restart: ${why}`,
    retryable: false,
  });
}

/** The caller ended the call before it was in the log: it never was. */
export function notMade({ tool }: Pick<Ask, 'tool'>): EdgeError {
  return new EdgeError('run.cancelled', { operation: CALL_NOT_MADE, subject: tool });
}

/** Ends for the calls that a restart left open, in a run that does not continue. */
export function endsOfOpenCalls({ state, calls }: RunView, why: string): NewEvent[] {
  return calls
    .filter(({ answer }) => answer === undefined)
    .map((call) => {
      const { callId: call_id, tool } = call;
      const error = interruption(call, why).toBody();
      return {
        kind: 'tool.returned',
        run_id: state.run_id,
        payload: { call_id, tool, ok: false, error, duration_ms: 0 },
      };
    });
}

/** When the daemon stops, the run does not end. A repeatable call stays open, and is repeated under its id. */
export function goesOn({ replay, effect }: Ask, { aborted, reason }: AbortSignal): boolean {
  const stops = aborted && reason instanceof EdgeError && reason.operation === 'shutdown';
  return stops && replay === 'safe' && effect !== 'actuate';
}

/** The built-in tools that only stop. Tools of applications and servers have other names. */
export function isStop({ tool }: Pick<Ask, 'tool'>): boolean {
  return isStopTool(tool);
}
