import type { Submitted } from './runtime-api.ts';

/** A rule of a webhook: where all of its tests hold, its intent is given. */
export type WebhookRule = {
  readonly tests: readonly {
    /** Place in the body, for example `['kind']`. */
    readonly at: readonly string[];
    readonly is?: string | number | boolean | null;
    readonly isNot?: string | number | boolean | null;
    readonly above?: number;
    readonly below?: number;
  }[];
  readonly intent: string;
  /** `{/body/…}` stands for a value; what leads nowhere is left out. */
  readonly params: Readonly<Record<string, unknown>>;
};

/** A way in for another system, as a package describes it. Its secret and its roles stand in the configuration. */
export type WebhookSpec = {
  /** `APP.NAME`. */
  readonly name: string;
  readonly description: string;
  /** Tried in order. */
  readonly rules: readonly WebhookRule[];
  /** Where no rule fits: a model chooses one of the intents of the application, or the message is refused. */
  readonly otherwise: 'model' | 'refuse';
};

/** A message as it came: headers of Standard Webhooks, and the bytes of the body that they sign. */
export type WebhookMessage = {
  readonly name: string;
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
  readonly body: Uint8Array;
};

export type WebhookAnswer = Submitted & {
  /** `rule`, or `model` where no rule fits. */
  readonly by: 'rule' | 'model';
};

/**
 * Rejects with `api.unauthorised` (also for an unknown name), `run.limit`, `schema.invalid`, `intent.unknown_type` where
 * nothing fits, and as `submit` of the runtime. The same message gives the same run.
 */
export interface WebhooksApi {
  receive(message: WebhookMessage): Promise<WebhookAnswer>;
}
