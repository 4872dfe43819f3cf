import { Refusal } from '../lib/api.ts';
import { useStatus } from '../lib/status.ts';

/** Whether what is shown is of now. */
export function LinkState() {
  const { data, error, old } = useStatus();
  const [text, look] = error
    ? [
        error instanceof Refusal && error.status === 403
          ? 'this token may not see the status'
          : 'the daemon does not answer; trying again',
        'bad',
      ]
    : old
      ? ['as last seen; asking the daemon', '']
      : data
        ? ['live', 'ok']
        : ['connecting', ''];
  return (
    <p id="link" role="status" aria-live="polite" className={look}>
      {text}
    </p>
  );
}
