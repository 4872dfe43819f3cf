import type { PublishOptions } from '../../contract/core.ts';

/** What Zenoh distinguishes in access control. */
export const ACCESS_MESSAGES = [
  'put',
  'delete',
  'declare_subscriber',
  'query',
  'reply',
  'declare_queryable',
  'liveliness_token',
  'liveliness_query',
  'declare_liveliness_subscriber',
] as const;

/** `in`: what comes from the other side of a link; `out`: what goes to it. */
export type Flow = 'in' | 'out' | 'both';

/** PEM texts. `mutual`: every client must show a certificate of the same authority too. */
export type ZenohTls = {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly mutual: boolean;
  readonly verifyName: boolean;
};

/** Who (empty lists: anybody) may do what with which keys. A `deny` that matches wins over every `allow`. */
export type AccessRule = {
  readonly permission: 'allow' | 'deny';
  readonly keys: readonly string[];
  readonly messages: readonly (typeof ACCESS_MESSAGES)[number][];
  readonly flow: Flow;
  /** Common names of certificates; needs mutual TLS. */
  readonly names: readonly string[];
  readonly interfaces: readonly string[];
  readonly protocols: readonly string[];
};

/** At most `rateHz` values per second of each key that matches; the others are dropped by Zenoh. */
export type DownsamplingRule = {
  readonly keys: readonly string[];
  readonly rateHz: number;
  readonly flow: Flow;
  readonly interfaces: readonly string[];
};

/** Values above `bytes` (payload and attachment) are dropped by Zenoh. */
export type SizeLimitRule = {
  readonly keys: readonly string[];
  readonly bytes: number;
  readonly flow: Flow;
  readonly interfaces: readonly string[];
};

/** How values of matching keys are sent, whatever the sender asked for; the first rule that matches counts. */
export type DeliveryRule = {
  readonly keys: readonly string[];
} & Pick<PublishOptions, 'priority' | 'congestion' | 'express'>;

export type ZenohPolicy = {
  readonly tls?: ZenohTls;
  readonly access?: { readonly fallback: 'allow' | 'deny'; readonly rules: readonly AccessRule[] };
  readonly downsampling?: readonly DownsamplingRule[];
  readonly sizeLimits?: readonly SizeLimitRule[];
  readonly sharedMemory?: boolean;
};
