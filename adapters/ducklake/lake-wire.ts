import type {
  CellContext,
  ErrorBody,
  Lake,
  LakeInfo,
  LakeOverdue,
  LakePage,
  LakeReader,
  TopicTable,
} from '../../contract/core.ts';

/** Which lake a process opens: that of a data directory, with these tables of messages. */
export type LakeOrder = {
  readonly dataDir: string;
  /** Plain DuckDB, whatever extension is installed. */
  readonly isPlain: boolean;
  readonly topics: readonly TopicTable[];
  /** What lies there is removed before. */
  readonly anew: boolean;
  /** Commits that other processes made since the daemon started. */
  readonly commits: number;
};

/** What is asked of the process, by structured clone. One answer each; answers come in any order. */
export type LakeOps = Pick<
  Lake,
  'project' | 'cursors' | 'query' | 'rebuild' | 'unreadSegments' | 'addSteps' | 'close'
> & {
  open(order: LakeOrder): Promise<void>;
  /** Brings the extension of DuckLake onto this host; what was installed. */
  install(): Promise<Readonly<Record<string, unknown>>>;
  read(
    ...ask: Parameters<Lake['read']>
  ): Promise<{ readonly reader: number; readonly columns: LakeReader['columns'] }>;
  next(reader: number, bytes: number): Promise<LakePage>;
  endRead(reader: number): Promise<void>;
  /** Until it has done a slice of work, or `over` arrives. */
  readTopics(): Promise<boolean>;
  digest(): Promise<string>;
};
export type LakeOp = keyof LakeOps;

export type ToLake =
  | { readonly t: 'call'; readonly id: number; readonly op: LakeOp; readonly args: readonly unknown[] }
  /** Events wait: the topics of segments are read later. */
  | { readonly t: 'over' };

/** What the lake knows of itself without being asked. */
export type LakeState = {
  readonly info: LakeInfo;
  readonly isIdle: boolean;
  readonly overdue: LakeOverdue;
  readonly commits: number;
};

export type FromLake =
  | { readonly t: 'ok'; readonly id: number; readonly value: unknown; readonly state?: LakeState }
  | { readonly t: 'failed'; readonly id: number; readonly error: ErrorBody; readonly state?: LakeState }
  /** Sent while there is work: the process lives. */
  | { readonly t: 'works'; readonly state?: LakeState }
  | {
      readonly t: 'report';
      readonly level: Parameters<CellContext['report']>[0];
      readonly message: string;
      readonly facts: Readonly<Record<string, unknown>>;
    };
