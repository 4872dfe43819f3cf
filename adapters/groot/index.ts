export { connectGroot, type GrootOptions } from './connect.ts';
export { GrootServer } from './groot-server.ts';
