/** A file among the documents, as it lies there. */
export type DocumentFile = {
  /** Name of the configured folder (or file) and the path below it: stays the same where the folder is moved as a whole. */
  readonly name: string;
  /** When it was changed, microseconds since the Unix epoch. */
  readonly changedUs: number;
  /** Changes whenever the content does. */
  readonly stamp: string;
};

/** Texts in files. `list` reports what is left out in `notes`, in words, and never rejects; both are bounded in files and bytes. */
export interface DocumentShelf {
  list(): Promise<{ readonly files: readonly DocumentFile[]; readonly notes: readonly string[] }>;
  /** `undefined`: it is gone, or is no text. */
  read(name: string): Promise<string | undefined>;
}
