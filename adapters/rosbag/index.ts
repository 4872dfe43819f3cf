export type { Bag, BagFilter, BagTopic } from './bag.ts';
export { type BagFileInfo, type BagInfo, bagInfo } from './bag-info.ts';
export { BagSource, type BagSourceOptions, type PlayResult } from './bag-source.ts';
export { openBag } from './open-bag.ts';
