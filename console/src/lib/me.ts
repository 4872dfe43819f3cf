/** Who this browser is to the robot. */
import { usePolled } from './polled.ts';

const LOOK_MS = 30_000;

type Me = {
  readonly principal: string;
  readonly tenant: string;
  readonly roles: readonly string[];
  readonly operator: boolean;
};

/** Why what only an operator may do is not offered, for a person; empty: it is, or it is not known yet. */
export function useMayNot(): string {
  const { data } = usePolled<Me>('/v1/me', LOOK_MS);
  if (!data || data.operator) return '';
  const roles = data.roles.length === 0 ? 'no role' : data.roles.join(', ');
  return `only an operator of this robot does this: you are ${data.principal} (${roles})`;
}
