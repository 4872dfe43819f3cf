import { EdgeError, type ErrorBody, type Nanoseconds } from '../../contract/core.ts';
import type { BagTopic } from './bag.ts';
import { bagFiles, openFile } from './open-bag.ts';

export type BagFileInfo = {
  readonly path: string;
  readonly storage: 'mcap' | 'sqlite3' | 'unreadable';
  readonly bytes: number;
  readonly messages: number;
  /** Why the file cannot be read completely. */
  readonly fault: ErrorBody | undefined;
};

export type BagInfo = {
  readonly path: string;
  readonly files: readonly BagFileInfo[];
  readonly topics: readonly BagTopic[];
  readonly messages: number;
  readonly bytes: number;
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
};

/** What a bag holds. A file that cannot be read is listed with its fault; rejects only when there is none. */
export async function bagInfo(path: string): Promise<BagInfo> {
  const files: BagFileInfo[] = [];
  const topics = new Map<string, BagTopic>();
  let startNs: bigint | undefined;
  let endNs = 0n;
  for (const file of await bagFiles(path)) {
    try {
      const bag = await openFile(file);
      const messages = bag.topics.reduce((sum, topic) => sum + topic.messages, 0);
      files.push({
        path: file,
        storage: bag.storage,
        bytes: bag.bytes,
        messages,
        fault: bag.fault?.toBody(),
      });
      for (const topic of bag.topics) {
        const known = topics.get(topic.topic);
        topics.set(topic.topic, known ? { ...known, messages: known.messages + topic.messages } : topic);
      }
      if (messages > 0 && (startNs === undefined || bag.startNs < startNs)) startNs = bag.startNs;
      if (messages > 0 && bag.endNs > endNs) endNs = bag.endNs;
      await bag.close();
    } catch (error) {
      const fault = EdgeError.from(error, 'bag.malformed', 'read-bag', file).toBody();
      files.push({ path: file, storage: 'unreadable', bytes: 0, messages: 0, fault });
    }
  }
  const sum = (count: (file: BagFileInfo) => number) => files.reduce((total, file) => total + count(file), 0);
  return {
    path,
    files,
    topics: [...topics.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1)),
    messages: sum((file) => file.messages),
    bytes: sum((file) => file.bytes),
    startNs: startNs ?? 0n,
    endNs,
  };
}
