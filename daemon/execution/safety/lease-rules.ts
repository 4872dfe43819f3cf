/**
 * Why a lease may end:
 * - `return`: its holder gives it back. - `expiry`: it was not renewed. - `take`: somebody else asks for it.
 * - `stop_run`: a run is stopped. - `stop`: somebody wants everything to stand. - `emergency`: the emergency stop.
 */
export const LEASE_CAUSES = ['return', 'expiry', 'take', 'stop_run', 'stop', 'emergency'] as const;
export type LeaseCause = (typeof LEASE_CAUSES)[number];

/** The caller: its rank (`LEASE_PRIORITIES`), and whether the lease is its own. */
export type Asker = { readonly rank: number; readonly isHolder: boolean };

/**
 * Whether this ends a lease of that rank. Only its holder, its expiry, a higher rank and the emergency stop do. A stop
 * brakes what moves; a holder whose lease stays may continue with new commands.
 */
export function endsLease(cause: LeaseCause, asker: Asker, holderRank: number): boolean {
  switch (cause) {
    case 'expiry':
    case 'emergency':
      return true;
    case 'return':
      return asker.isHolder;
    case 'take':
      return asker.isHolder ? asker.rank >= holderRank : asker.rank > holderRank;
    case 'stop':
      return !asker.isHolder && asker.rank > holderRank;
    case 'stop_run':
      return false;
  }
}
