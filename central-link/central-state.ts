import type { EdgeError } from '../contract/index.ts';

/** Consequence of a failed step. */
export type Verdict =
  /** Central is unreachable, or refuses this robot: all lanes wait. */
  | 'offline'
  /** This lane tries again later; the others continue. */
  | 'later'
  /** This lane is stopped until a person intervenes. */
  | 'stop';

/** Pure; every error that a lane can throw has exactly one verdict. */
export function judge(error: EdgeError): Verdict {
  switch (error.code) {
    case 'link.unreachable':
    case 'deadline.exceeded':
    case 'api.unauthorised':
      return 'offline';
    case 'link.conflict':
    case 'link.refused':
    case 'log.tampered':
      return 'stop';
    default:
      return 'later';
  }
}
