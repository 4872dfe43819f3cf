/** A mission that somebody asked for, under this number as its idempotency key. */
export type Mission = { readonly n: number; readonly type: 'errand/go' | 'clerk/go' };

/** Where a life ends, where it ends itself. Times are the parent's business: it kills from outside. */
export type Point =
  | { readonly at: 'time' }
  /** The n-th append of this life: not begun, on its way to the disk, or acknowledged. */
  | { readonly at: 'append'; readonly n: number; readonly when: 'before' | 'during' | 'after' }
  /** The n-th order to the world: sent and not answered, or answered and not heard of. */
  | { readonly at: 'effect'; readonly n: number; readonly when: 'sent' | 'answered' };

/** What a life is told. */
export type ToLife =
  | {
      readonly t: 'go';
      readonly dataDir: string;
      readonly point: Point;
      readonly missions: readonly Mission[];
    }
  | { readonly t: 'ask'; readonly mission: Mission }
  | { readonly t: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly t: 'stop' };

/** An order to the world: do something, or say how things stand. */
export type Order =
  | {
      readonly op: 'effect';
      readonly kind: 'never' | 'safe' | 'probe';
      readonly key: string;
      readonly callId: string;
    }
  | { readonly op: 'probe'; readonly key: string }
  | { readonly op: 'robot'; readonly method: string; readonly body: unknown };

/** What a life tells. */
export type FromLife =
  | { readonly t: 'loaded' }
  | { readonly t: 'up' }
  | { readonly t: 'order'; readonly id: number; readonly order: Order }
  /** An intent was acknowledged. */
  | { readonly t: 'accepted'; readonly n: number; readonly runId: string }
  | { readonly t: 'over'; readonly runId: string }
  /** What an agent was told of one of its calls. */
  | { readonly t: 'told'; readonly runId: string; readonly callId: string; readonly text: string }
  | { readonly t: 'fault'; readonly message: string };
