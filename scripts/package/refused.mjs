/** What the caller can correct: printed without a stack. */
export class Refused extends Error {}
