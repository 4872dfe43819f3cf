import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { annotation, asker, noteOf, RecallRig, runOf, WordEmbedder } from '../support/recall-rig.ts';
import { fixedId } from '../support/sample-events.ts';

let rig: RecallRig;
beforeEach(async () => {
  rig = new RecallRig();
  await rig.say(runOf(0));
});
afterEach(() => rig.stop());

describe('documents', () => {
  it('are found by their parts with their headings, read again when they change, and left out when they are gone', async () => {
    const folder = join(rig.folder, 'manuals');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(
      join(folder, 'arm.md'),
      '# Arm\n\n## Gripper\n\nClose it gently.\n\n## Base\n\nBolts of steel.',
    );
    writeFileSync(join(folder, 'deep', 'a.txt'), 'The gripper has two fingers.');
    writeFileSync(join(folder, 'large.md'), 'gripper '.repeat(5_000));
    writeFileSync(join(folder, 'binary.txt'), 'gripper\0');
    writeFileSync(join(folder, 'code.ts'), 'gripper');
    writeFileSync(join(folder, '.hidden.md'), 'gripper');
    writeFileSync(join(rig.folder, 'secret.md'), 'gripper');
    symlinkSync(join(rig.folder, 'secret.md'), join(folder, 'link.md'));
    rig.documents = [folder, join(rig.folder, 'not-there')];
    const { texts, notes } = await rig.ask('gripper');
    expect(texts.map(({ id, text, source }) => [id, text, source]).toSorted()).toEqual([
      ['document:manuals/arm.md#1', 'Arm > Gripper\nClose it gently.', 'manuals/arm.md'],
      ['document:manuals/deep/a.txt#1', 'The gripper has two fingers.', 'manuals/deep/a.txt'],
    ]);
    expect(notes).toEqual([
      `document ${join(rig.folder, 'not-there')}: is not there`,
      '1 documents are larger than recall.document_size',
    ]);
    expect(await rig.found('gripper', { by: asker('guest') })).toEqual([]);
    writeFileSync(join(folder, 'arm.md'), '# Arm\n\nNothing.');
    rmSync(join(folder, 'deep'), { recursive: true });
    await vi.waitFor(async () => expect(await rig.found('gripper')).toEqual([]), 10_000);
    expect(await rig.found('bolts')).toEqual([]);
    expect(await rig.found('nothing')).toEqual(['Arm']);
  });
});

describe('a recorded recall', () => {
  it('is the same when it is asked again, whatever was said since', async () => {
    await rig.say(...noteOf(10, 'The red door sticks'), ...noteOf(11, 'The blue door is locked'));
    const { recallId, texts, sha256 } = await rig.ask('door', { limit: 2, runId: fixedId(0) });
    expect(texts).toHaveLength(2);
    await rig.say(...noteOf(12, 'door door door'), ...noteOf(13, 'The green door'));
    await rig.restart();
    const again = await rig.desk.again({ recallId, by: asker() });
    expect(again).toMatchObject({
      same: true,
      differences: [],
      now: { sha256 },
      recorded: { question: 'door', limit: 2 },
    });
    expect(again.recorded.texts).toEqual(texts);
    expect(again.recorded.runId).toBe(fixedId(0));
    // What an agent was given is in the log, whole.
    const [event] = rig.disks.get('memory')!.events;
    expect(event).toMatchObject({ kind: 'recall.answered', run_id: fixedId(0), payload: { texts, sha256 } });
  });

  it('says what differs', async () => {
    await rig.say(annotation(10, 'first words'), annotation(11, 'other words'), ...noteOf(12, 'words'));
    const { recallId } = await rig.ask('words', { limit: 3 });
    await rig.say(annotation(10, 'changed words'), annotation(11, '', true));
    const embedder = new WordEmbedder([['words']]);
    rig.findEmbedder = () => ({ embedder });
    const { same, differences } = await rig.desk.again({ recallId, by: asker() });
    expect(same).toBe(false);
    expect(differences.toSorted()).toEqual([
      `annotation:${fixedId(10)} has another text now`,
      `annotation:${fixedId(11)} is no longer there`,
      'found by words then, by meaning now',
    ]);
  });

  it('exists for its tenant and the owner only', async () => {
    await rig.say(runOf(100, 'guest'), ...noteOf(110, 'a door', true, 100));
    const { recallId } = await rig.ask('door', { by: asker('guest') });
    expect((await rig.desk.again({ recallId, by: asker('guest') })).same).toBe(true);
    expect((await rig.desk.again({ recallId, by: asker('local', true) })).same).toBe(true);
    for (const [id, by] of [
      [recallId, asker('other')],
      [fixedId(7), asker('guest')],
      ["x' OR 1", asker('guest')],
    ] as const)
      await expect(rig.desk.again({ recallId: id, by })).rejects.toMatchObject({ code: 'recall.not_found' });
  });
});
