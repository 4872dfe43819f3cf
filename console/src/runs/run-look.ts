/** The look of a state of a run. */
export const lookOf = (status: string) => (status === 'failed' ? 'bad' : status === 'succeeded' ? 'ok' : '');
