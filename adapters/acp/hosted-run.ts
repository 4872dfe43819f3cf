/** A run as a runtime has it, under the names of this room. */
export type {
  CallAnswer,
  HostedOutcome as RunOutcome,
  HostedRun,
  HostedSaid as Said,
} from '../../contract/core.ts';
