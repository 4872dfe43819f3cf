export { CrashNote } from './crash-note.ts';
export { Routes, type RoutesParts } from './routes.ts';
