export const ISOLATED: string[];
