export { installLocalModel, LOCAL_MODEL, type LocalModel } from './local-model.ts';
export { serveCommand, whileServed } from './local-server.ts';
