import { useEffect, useState } from 'react';
import type { ConfigTaking } from '../../../contract/ports/config.ts';
import { send } from '../lib/api.ts';
import { useMayNot } from '../lib/me.ts';
import { queries } from '../lib/polled.ts';

/** The configuration on trial with the time left, and how the last trial ended. */
export function TrialBar({ taking, asOf }: { taking: ConfigTaking | undefined; asOf: Date | undefined }) {
  const [said, setSaid] = useState('');
  const mayNot = useMayNot();
  const leftMs = useLeft(taking?.trial?.ends_in_ms, asOf);
  if (!taking) return null;
  const { trial, last } = taking;
  const settle = (how: 'keep' | 'put_back') => {
    setSaid('');
    send(`/v1/config/${how}`, {})
      .catch((error: Error) => setSaid(error.message))
      .finally(() => void queries.invalidateQueries({ queryKey: ['/v1/config'] }));
  };
  return (
    <div id="config-trial" role="status">
      {trial && (
        <div className="config-trial row">
          <span>
            On trial, taken by {trial.by}: <code>{trial.keys.join(', ')}</code>. Without an answer the former
            configuration is back in {Math.ceil(leftMs / 1000)} s.
          </span>
          <button type="button" className="allow" disabled={mayNot !== ''} onClick={() => settle('keep')}>
            Keep it
          </button>
          <button type="button" disabled={mayNot !== ''} onClick={() => settle('put_back')}>
            Put the former one back
          </button>
          <span className="soft">{mayNot}</span>
        </div>
      )}
      {!trial && last?.outcome === 'put_back' && (
        <p className="bad">
          Put back: <code>{last.keys.join(', ')}</code> of {last.by}, since {last.reason}.
        </p>
      )}
      {!trial && last?.outcome === 'kept' && (
        <p>
          Kept: <code>{last.keys.join(', ')}</code> of {last.by}; {last.reason}.
        </p>
      )}
      {said !== '' && <p className="bad">{said}</p>}
    </div>
  );
}

/** Counts down between two answers of the robot. */
function useLeft(endsInMs: number | undefined, asOf: Date | undefined): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (endsInMs === undefined) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [endsInMs]);
  return Math.max(0, (endsInMs ?? 0) - Math.max(0, now - (asOf?.getTime() ?? now)));
}
