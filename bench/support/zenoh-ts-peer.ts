import {
  Config,
  CongestionControl,
  Duration,
  open,
  type Query,
  ReplyError,
  type Sample,
} from '@eclipse-zenoh/zenoh-ts';
import type { KeySpace, Reply } from '../../contract/index.ts';
import { benchBridge } from './zenoh-bridge.ts';
import { runZenohPeer } from './zenoh-peer-roles.ts';

/** zenoh-ts as its users call it, with no code of this project between, as a driver of `bench/zenoh.ts`. */
// Its greetings would be taken for results.
console.log = console.warn = () => {};

await runZenohPeer(async (role, endpoint) => {
  const session = await open(new Config(await benchBridge(role, endpoint), 10_000));
  const used: Pick<KeySpace, 'put' | 'subscribe' | 'queryable' | 'query'> = {
    put: (key, payload) => session.put(key, payload, { congestionControl: CongestionControl.BLOCK }),
    async subscribe(keyExpr, onValues) {
      const handler = (sample: Sample) => {
        const payload = sample.payload().toBytes();
        onValues([{ key: keyExpr, payload, encoding: sample.encoding().toString(), kind: 'put' }]);
      };
      const subscriber = await session.declareSubscriber(keyExpr, { handler });
      return { keyExpr, dropped: () => 0, undeclare: () => subscriber.undeclare() };
    },
    async queryable(keyExpr, answer) {
      const handler = async (query: Query) => {
        const payload = query.payload()?.toBytes();
        const given = await answer({ key: keyExpr, parameters: '', payload, encoding: '' }, () => {});
        await query.reply(keyExpr, given.payload);
        await query.finalize();
      };
      const queryable = await session.declareQueryable(keyExpr, { handler });
      return { keyExpr, undeclare: () => queryable.undeclare() };
    },
    async query(selector, { payload, timeoutMs }) {
      const timeout = Duration.milliseconds.of(timeoutMs);
      const receiver = await session.get(selector, { timeout, ...(payload ? { payload } : {}) });
      const replies: Reply[] = [];
      for await (const reply of receiver ?? []) {
        const result = reply.result();
        if (result instanceof ReplyError) continue;
        const value = {
          key: selector,
          payload: result.payload().toBytes(),
          encoding: '',
          kind: 'put',
        } as const;
        replies.push({ ok: true, value });
      }
      return replies;
    },
  };
  return used as KeySpace;
});
