import { type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import type { ControllersHandle } from './controllers-desk.ts';
import type { FromThread } from './messages.ts';

/** The thread of the controllers as its desk knows it. `port`: this end of the channel that the thread got. */
export function controllersHandle(worker: Worker, port: MessagePort): ControllersHandle {
  let listen: (message: FromThread) => void = () => {};
  port.on('message', (message: FromThread) => listen(message));
  // Both live as long as the cell does, and keep it from nothing.
  port.unref();
  worker.unref();
  return {
    post: (message, transfer = []) => port.postMessage(message, [...transfer]),
    onMessage: (hear) => {
      listen = hear;
    },
    drain() {
      for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port))
        listen(got.message as FromThread);
    },
    onExit(ended) {
      worker.once('error', (error) => ended(error instanceof Error ? error.message : String(error)));
      worker.once('exit', (code) => ended(`it ended with code ${code}`));
    },
    terminate: () => void worker.terminate(),
  };
}
