import type { EdgeError } from '../contract/index.ts';

/** What a failure of a step means. */
export type Verdict =
  /** Nobody is there, or not for us: all lanes wait. */
  | 'offline'
  /** This lane tries again later; the others go on. */
  | 'later'
  /** This lane stands still until a person has looked. */
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
