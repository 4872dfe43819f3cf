export { FolderShelf } from './folder-shelf.ts';
export { SqliteRecallIndex } from './sqlite-recall-index.ts';
