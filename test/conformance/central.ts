import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentEvent, Central, Receipt } from '../../contract/index.ts';
import { hashOf, TinyLog } from '../support/tiny-log.ts';

export type CentralUnderTest = { readonly central: Central; end(): Promise<void> };

/** What every coordinator promises, whoever implements it. `make` gives an empty one. */
export function centralConformance(name: string, make: () => Promise<CentralUnderTest>): void {
  describe(`Central: ${name}`, () => {
    let central: Central;
    let end: () => Promise<void>;
    beforeEach(async () => {
      const made = await make();
      central = made.central;
      end = () => made.end();
    });
    afterEach(() => end());

    const lane = 'events.runtime';
    const events = new TinyLog('runtime').fill(10).events;
    const epoch = events[0]!.event_id;
    const push = (some: readonly AgentEvent[], robot = 'tb1') =>
      central.push({ robot, epoch, lane, events: some });
    const stands = (receipt: Receipt | undefined, seq: number) =>
      expect(receipt).toMatchObject({ robot: 'tb1', epoch, lane, seq, sha256: events[seq - 1]!.hash });

    it('holds nothing of a lane it never saw', async () => {
      expect(await central.watermark('tb1', epoch, lane)).toBeUndefined();
    });

    it('acknowledges up to the last event of each batch', async () => {
      stands(await push(events.slice(0, 4)), 4);
      stands(await push(events.slice(4, 5)), 5);
      stands(await push(events.slice(5)), 10);
      stands(await central.watermark('tb1', epoch, lane), 10);
    });

    it('keeps repeated and overlapping batches once', async () => {
      stands(await push(events.slice(0, 4)), 4);
      stands(await push(events.slice(0, 4)), 4);
      stands(await push(events.slice(1, 3)), 4);
      stands(await push(events.slice(2, 8)), 8);
      stands(await push(events), 10);
    });

    it('keeps one of two pushes of the same at the same time', async () => {
      const receipts = await Promise.all([push(events), push(events), push(events.slice(0, 5))]);
      for (const receipt of receipts) expect(receipt.sha256).toBe(events[receipt.seq - 1]!.hash);
      stands(await central.watermark('tb1', epoch, lane), 10);
    });

    it('refuses a gap and stores nothing of it', async () => {
      await expect(push(events.slice(1, 3))).rejects.toMatchObject({ code: 'link.gap', retryable: true });
      await push(events.slice(0, 2));
      await expect(push(events.slice(3))).rejects.toMatchObject({ code: 'link.gap' });
      stands(await central.watermark('tb1', epoch, lane), 2);
    });

    it('refuses other data under a sequence that it holds', async () => {
      await push(events.slice(0, 6));
      const other = new TinyLog('runtime');
      other.append({ kind: 'cell.stopped', payload: { reason: 'another life' } });
      other.fill(8);
      expect(other.events[0]!.event_id).toBe(epoch);
      const conflict = { code: 'link.conflict', retryable: false };
      await expect(push(other.events.slice(0, 2))).rejects.toMatchObject(conflict);
      await expect(push(other.events.slice(4, 8))).rejects.toMatchObject(conflict);
      await expect(push(other.events.slice(6, 8))).rejects.toMatchObject(conflict);
      stands(await push(events.slice(6)), 10);
    });

    it('refuses events whose hashes are not right', async () => {
      const refused = { code: 'link.refused', retryable: false };
      const [first, second, third] = events as [AgentEvent, AgentEvent, AgentEvent];
      const forged = { ...second, payload: { phase: 'forged', reason: '' } } as AgentEvent;
      await expect(push([first, forged])).rejects.toMatchObject(refused);
      await expect(push([first, third])).rejects.toMatchObject(refused);
      const rehashed = { ...forged, hash: hashOf(forged) };
      await expect(push([first, rehashed, third])).rejects.toMatchObject(refused);
      expect(await central.watermark('tb1', epoch, lane)).toBeUndefined();
    });

    it('refuses an epoch that is not the first event, and events of another lane', async () => {
      const refused = { code: 'link.refused' };
      const wrong = { robot: 'tb1', epoch: events[1]!.event_id, lane, events };
      await expect(central.push(wrong)).rejects.toMatchObject(refused);
      await expect(central.push({ ...wrong, epoch, lane: 'events.memory' })).rejects.toMatchObject(refused);
      await expect(push([])).rejects.toMatchObject(refused);
    });

    it('keeps robots, lanes and epochs apart', async () => {
      await push(events);
      expect(await central.watermark('tb2', epoch, lane)).toBeUndefined();
      expect(await central.watermark('tb1', epoch, 'events.memory')).toBeUndefined();
      const later = new TinyLog('runtime', 5_000).fill(3).events;
      const receipt = await central.push({
        robot: 'tb1',
        epoch: later[0]!.event_id,
        lane,
        events: later,
      });
      expect(receipt).toMatchObject({ epoch: later[0]!.event_id, seq: 3, sha256: later[2]!.hash });
      stands(await central.watermark('tb1', epoch, lane), 10);
      expect((await push(events.slice(0, 2), 'tb2')).seq).toBe(2);
    });

    it('keeps values of every shape so that their hash stays right', async () => {
      const log = new TinyLog('runtime', 9_000);
      const facts = {
        text: 'zeilen\n\t"\\ \u2028 \u{1F916} \ud800 \u0000',
        numbers: [0, -0, 1e21, 1e-7, 5e-324, 0.1, Number.MAX_SAFE_INTEGER, 1.7976931348623157e308],
        ['__proto__']: { a: null },
        nested: Array.from({ length: 50 }).reduce<unknown>((inner) => [inner], true),
      };
      log.append({ kind: 'run.phase', payload: { phase: 'x', reason: '', facts } });
      log.fill(1);
      const receipt = await central.push({
        robot: 'tb1',
        epoch: log.events[0]!.event_id,
        lane,
        events: log.events,
      });
      expect(receipt.seq).toBe(2);
    });

    it('may be closed twice', async () => {
      await central.close();
      await central.close();
    });
  });
}
