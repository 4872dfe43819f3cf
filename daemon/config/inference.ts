import { flag, text, texts } from './spec.ts';

/** Ways to inference beside the API: `[inference]`. What is paid for is on the account of `intents.tenant`. */
export const INFERENCE_KEYS = {
  zenoh: flag(
    true,
    'answer plan and chat beside vla at <prefix>/ai/inference in the key space; protect it by zenoh.tls_* and zenoh.access',
  ),
  ros: text(
    'inference',
    'ROS 2 services <this>/infer, <this>/chat and <this>/plan (auraison_interfaces), in ros.namespace without a leading slash; empty: none',
    { match: /^(|\/?[A-Za-z_]\w*(\/[A-Za-z_]\w*)*)$/, expected: 'a name, or ""' },
  ),
  roles: texts(['operator'], 'roles of clients that request plans and models over Zenoh and ROS'),
} as const;
