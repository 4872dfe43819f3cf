import { useStatus } from '../lib/status.ts';

/** Whether what is shown is of now. */
export function LinkState() {
  const { data, error, old } = useStatus();
  const [text, look] = error
    ? ['the daemon does not answer; trying again', 'bad']
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
