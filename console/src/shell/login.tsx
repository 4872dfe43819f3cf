import { type FormEvent, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { giveToken, loginState } from '../lib/token.ts';

/** Asks for the token of this robot when a request needs one. */
export function Login() {
  const { open, note } = useSyncExternalStore(loginState.listen, loginState.get);
  const dialog = useRef<HTMLDialogElement>(null);
  const [token, setToken] = useState('');
  const [device, setDevice] = useState(false);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setToken('');
    giveToken(token.trim(), device);
  };
  return (
    <dialog
      id="login"
      ref={dialog}
      aria-labelledby="login-title"
      onCancel={(event) => event.preventDefault()}
      onClose={() => {
        // Browsers close it at the second Escape anyway.
        if (loginState.get().open) dialog.current?.showModal();
      }}
    >
      <form onSubmit={submit}>
        <h2 id="login-title">Token</h2>
        <p>
          <code>auraison console</code> prints a link that logs in. Or give the token: it is in the file{' '}
          <code>token</code> of the data directory.
        </p>
        <label htmlFor="token">Token of this robot</label>
        <input
          id="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          required
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        <label className="check">
          <input type="checkbox" checked={device} onChange={(event) => setDevice(event.target.checked)} />{' '}
          keep it on this device
        </label>
        <p id="login-note" role="alert">
          {note}
        </p>
        <button type="submit">Open</button>
      </form>
    </dialog>
  );
}
