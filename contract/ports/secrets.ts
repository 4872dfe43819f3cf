/**
 * Secrets of this host: tokens and keys. They come from files or systemd credentials, never from the
 * configuration, and never reach a log.
 */
export interface Secrets {
  /**
   * The secret of this name, without surrounding white space; undefined where it does not exist. Throws
   * `host.missing` where it is there and cannot be read or is open to other users.
   */
  read(name: string): Promise<string | undefined>;
  /**
   * The secret of this name; where it does not exist, keeps what `make` returns (mode 0600, durable) and returns it.
   */
  readOrCreate(name: string, make: () => string): Promise<string>;
}
