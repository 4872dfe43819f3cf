import type { AgentEvent, RunDetails, RunToken } from '../../contract/core.ts';
import type { Said } from './commands.ts';

/** A conversation as the API gives it, as far as a person sees it. */
export type SessionBox = {
  readonly session_id: string;
  readonly state: 'queued' | 'working' | 'waiting' | 'asking' | 'paused' | 'ended';
  readonly reason: string;
  readonly attended: boolean;
  readonly details: Pick<RunDetails, 'run' | 'intent' | 'app'>;
};

/** What is known of a session at a moment; a part that was not reported is absent. */
export type Status = {
  readonly state: SessionBox['state'] | 'new';
  readonly reason: string;
  readonly connected: boolean;
  readonly model?: string;
  readonly thinking?: string;
  /** Sum of the answers of this session whose model has a price, US dollars. */
  readonly cost_usd?: number;
  /** Tokens in and out of the last answer of a model: what the next one starts from. */
  readonly context_used?: number;
  readonly context_size?: number;
};

/** What a face shows, in order. `--json` prints it as it is. */
export type Shown =
  | { readonly kind: 'session'; readonly session_id: string }
  | { readonly kind: 'token'; readonly text: string }
  /** An answer or the words of a person, whole. `rest`: what tokens did not show of it yet; absent: all of it. */
  | { readonly kind: 'said'; readonly by: string; readonly text: string; readonly rest?: string }
  | { readonly kind: 'tool'; readonly call_id: string; readonly tool: string; readonly args: unknown }
  | {
      readonly kind: 'result';
      readonly call_id: string;
      readonly tool: string;
      readonly ok: boolean;
      readonly text: string;
      readonly duration_ms: number;
    }
  | {
      readonly kind: 'approval';
      readonly approval_id: string;
      readonly point: string;
      readonly subject: string;
      readonly reason: string;
      readonly facts: unknown;
    }
  | {
      readonly kind: 'approval_answered';
      readonly approval_id: string;
      readonly decision: string;
      readonly by: string;
      readonly reason: string;
    }
  | {
      readonly kind: 'question';
      readonly question_id: string;
      readonly text: string;
      readonly choices: readonly string[];
    }
  | ({ readonly kind: 'status' } & Status)
  | { readonly kind: 'connection'; readonly state: 'lost' | 'back'; readonly text: string }
  | { readonly kind: 'ended'; readonly status: string; readonly reason: string }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'error'; readonly text: string };

/** What the driver does for the core. Each `id` comes back once, in `settled`. */
export type Order =
  | { readonly do: 'create'; readonly id: string; readonly text: string }
  | {
      readonly do: 'message';
      readonly id: string;
      readonly path: 'steer' | 'follow-up' | 'messages' | 'stop' | 'close';
      readonly body: Readonly<Record<string, unknown>>;
      /** An order to stop the robot: not answered soon, it goes another way. */
      readonly urgent?: true;
    }
  | {
      readonly do: 'approve';
      readonly id: string;
      readonly approval_id: string;
      readonly decision: 'allow' | 'deny';
    }
  | { readonly do: 'answer'; readonly id: string; readonly question_id: string; readonly answer: string }
  /** Stops the robot itself, whatever becomes of a session. */
  | { readonly do: 'stop_robot'; readonly id: string; readonly words: string }
  | { readonly do: 'models' }
  | { readonly do: 'leave' };

/** What became of an order. `unsure`: the connection broke, so it is not known whether it arrived. */
export type Settled = { readonly as: 'done' } | { readonly as: 'refused' | 'unsure'; readonly why: string };

export type Input =
  | { readonly kind: 'line'; readonly text: string }
  /** The same by a program, without a line that has to be read. */
  | { readonly kind: 'asked'; readonly said: Said }
  /** Opens the session without words. */
  | { readonly kind: 'start' }
  | { readonly kind: 'interrupt' }
  /** `words`: what opened it, of a session that this process did not open. */
  | { readonly kind: 'opened'; readonly session_id: string; readonly words?: string }
  | { readonly kind: 'settled'; readonly id: string; readonly result: Settled }
  | { readonly kind: 'session'; readonly box: SessionBox }
  | { readonly kind: 'event'; readonly event: AgentEvent }
  | { readonly kind: 'token'; readonly token: RunToken | { readonly kind: 'gap' } }
  | { readonly kind: 'context'; readonly sizes: ReadonlyMap<string, number>; readonly list?: boolean }
  | { readonly kind: 'lost'; readonly why: string }
  /** All events that the log had are here. */
  | { readonly kind: 'caught_up' };

export type Step = { readonly shown: readonly Shown[]; readonly orders: readonly Order[] };
