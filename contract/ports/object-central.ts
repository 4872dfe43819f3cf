import type { LinkCustody, LinkObject, ObjectStanding } from '../link-objects.ts';

export type PutReply = {
  readonly standing: ObjectStanding;
  /** Bytes of the body as it went over the line. */
  readonly lineBytes: number;
};

/**
 * The coordinator as far as it takes files. Every call may be repeated; what was taken before counts. Reject with
 * `link.unreachable`, `deadline.exceeded`, `api.unauthorised`, `quota.exceeded`, `policy.denied` (try again later),
 * `link.gap`, `api.not_found` (offer it again) or `link.refused` (what was sent differs from its tree). A receipt in an
 * answer is checked: it is signed by central and is about this object.
 */
export interface ObjectCentral {
  /** Whether central takes files at all, and their largest part in bytes; undefined: it speaks version 1 only. */
  partBytesMax(): Promise<number | undefined>;
  /** Whether central still has what it had when its head was this; undefined: it cannot say. */
  custody(robot: string, head: string): Promise<LinkCustody | undefined>;
  offer(object: LinkObject): Promise<ObjectStanding>;
  /** The leaves of its tree, 32 bytes each. */
  tree(object: LinkObject, leaves: Uint8Array): Promise<ObjectStanding>;
  /** Bytes from `offset` on, within one part. */
  put(object: LinkObject, offset: number, bytes: Uint8Array): Promise<PutReply>;
  close(): Promise<void>;
}
