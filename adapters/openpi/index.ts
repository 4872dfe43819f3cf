export { connectOpenPi, type OpenPiOptions } from './connect.ts';
export { OpenPiServer } from './openpi-server.ts';
