export { AssetShelf } from './asset-shelf.ts';
export { FoxgloveServer } from './foxglove-server.ts';
