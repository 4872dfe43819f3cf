/** Operation of the error `run.cancelled` of a call that its caller ended before it was made; the log has no such call. */
export const CALL_NOT_MADE = 'start call';

/** Types of entries that a session has for a stop, a command of an extension, and a message that a stop dropped unheard. */
export const STOPPED_ENTRY = 'auraison.stopped';
export const COMMAND_ENTRY = 'auraison.command';
export const DROPPED_ENTRY = 'auraison.dropped';
