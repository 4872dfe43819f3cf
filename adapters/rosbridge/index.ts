export { RosbridgeServer } from './rosbridge-server.ts';
