import { EdgeError } from '../../contract/index.ts';
import type { CallView } from './run-view.ts';
import type { Answered } from './tool-gate.ts';

/** A name that a model made up, as a name. */
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
    message: `the call was cut off by a restart: ${why}`,
    retryable: false,
  });
}
