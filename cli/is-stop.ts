/** Global options that are followed by a value. */
const WITH_VALUE: ReadonlySet<string | undefined> = new Set(['--config', '--data-dir']);

/** Whether these arguments call `auraison estop` or `auraison stop`; options that every command has may stand before it. */
export function isStop(args: readonly string[]): boolean {
  for (let i = 0; i < args.length; i++) {
    if (WITH_VALUE.has(args[i])) i++;
    else if (!args[i]!.startsWith('-')) return args[i] === 'estop' || args[i] === 'stop';
  }
  return false;
}
