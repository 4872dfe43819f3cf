/** A body of a message that lies in a place which both cells reach. */
export type Handed = { readonly name: string; readonly bytes: number };

/**
 * Large bodies of messages between two processes of one host: the sender leaves one, the receiver takes it, once. No
 * byte of it passes the supervisor. Nothing here is durable: a power cut ends sender and receiver too.
 */
export interface Handoff {
  /** Undefined: there is no room for it now. Rejects where it cannot be written as structured clone. */
  leave(body: unknown): Promise<Handed | undefined>;
  /** The body, which is gone then. Rejects with `cell.unavailable` where it is no longer there or has another size. */
  take(handed: Handed): Promise<unknown>;
  /** Removes what was not taken. Never throws. */
  drop(handed: Handed): void;
  /** Removes what this process left. Never throws. */
  close(): void;
}
