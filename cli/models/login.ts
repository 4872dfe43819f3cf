import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { EdgeError } from '../../contract/core.ts';
import type { Output } from '../output.ts';
import type { Ask } from './terminal.ts';

/** Logs in at a provider in its own way: a browser, or a code that is entered elsewhere. Ctrl-C cancels. */
export async function login(
  provider: string,
  file: string,
  { ask, out }: { readonly ask: Ask | undefined; readonly out: Output },
): Promise<void> {
  if (ask === undefined)
    throw new EdgeError('schema.invalid', {
      operation: 'log in',
      subject: provider,
      message: 'a login needs a terminal',
      hint: 'run it at one, or give a key: --key-stdin, --key-env or --key-file',
    });
  const { loginAt } = await import('../../adapters/pi/providers.ts');
  const abort = new AbortController();
  const onSignal = () => abort.abort();
  process.once('SIGINT', onSignal);
  try {
    await loginAt(
      provider,
      file,
      {
        ask: (question, { secret, choices }, signal) =>
          ask({ question, secret, choices, closed: choices.length > 0 }, signal),
        say: (text) => out.note(text),
      },
      new SystemClock(),
      abort.signal,
    );
  } catch (thrown) {
    if (!abort.signal.aborted) throw EdgeError.from(thrown, 'model.unavailable', 'log in', provider);
    throw new EdgeError('run.cancelled', { operation: 'log in', subject: provider, message: 'cancelled' });
  } finally {
    process.off('SIGINT', onSignal);
  }
}
