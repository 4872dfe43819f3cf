export { Routes, type RoutesParts } from './routes.ts';
