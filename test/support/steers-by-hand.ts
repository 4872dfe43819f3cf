import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { METHODS } from '../../contract/index.ts';
import type { Rig } from './http-rig.ts';

/** A person steers from the page that is open, with keys and pad: it moves while something is held, and at no other time. */
export async function steersByHand(page: Page, rig: Rig, isClean: () => Promise<void>): Promise<void> {
  const sent: number[] = [];
  let returned = 0;
  rig.answers.set(METHODS.execution.teleopCommand, async (body) => {
    sent.push((body as { twist: { linear: number } }).twist.linear);
  });
  const lease = {
    state: 'held',
    lease_id: 7,
    holder: 'operator/console',
    role: 'teleoperation',
    priority: 50,
  };
  rig.answers.set(METHODS.execution.leaseTake, async () => ({ ...lease, remaining_ms: 1500 }));
  rig.answers.set(METHODS.execution.leaseReturn, async () => {
    returned++;
    return { state: 'free' };
  });
  const state = page.locator('#drive-state');
  // A busy host may answer later than the page waits, and then it is right to stop: the person starts again.
  const moving = () => (sent.at(-1) ?? 0) > 0.1;
  const steers = (press: () => Promise<void>, release: () => Promise<void>, enough = moving) =>
    expect
      .poll(async () => {
        if ((await state.innerText()).startsWith('stopped steering')) {
          await release();
          await page.getByRole('button', { name: 'Take the lease' }).click();
          await page.getByText('ready: nothing is held').waitFor();
          await press();
        }
        return enough();
      })
      .toBe(true);
  await page.keyboard.press('ArrowUp');
  await page.getByRole('button', { name: 'Take the lease' }).click();
  await page.getByText('ready: nothing is held').waitFor();
  // Nothing is held, and the page says so: a press soon after a stop is a new one.
  expect(sent).toEqual([0]);
  const up = () => page.keyboard.up('ArrowUp');
  await page.keyboard.down('ArrowUp');
  await steers(
    () => page.keyboard.down('ArrowUp'),
    up,
    () => sent.filter((speed) => speed > 0).length > 2,
  );
  await up();
  await expect.poll(() => sent.at(-1)).toBe(0);
  await isClean();
  // A finger, or the mouse, on the pad; the window that loses the focus.
  const pad = (await page.locator('#drive-pad').boundingBox())!;
  const press = async () => {
    await page.mouse.move(pad.x + pad.width / 2, pad.y + pad.height / 2);
    await page.mouse.down();
    await page.mouse.move(pad.x + pad.width / 2, pad.y + 5);
  };
  await press();
  await steers(press, () => page.mouse.up());
  await page.evaluate("window.dispatchEvent(new Event('blur'))");
  await expect.poll(() => sent.at(-1)).toBe(0);
  await page.mouse.up();
  const w = () => page.keyboard.down('KeyW');
  await w();
  await steers(w, () => page.keyboard.up('KeyW'));
  const before = returned;
  await page.getByRole('link', { name: 'Routes' }).click();
  await expect.poll(() => sent.at(-1)).toBe(0);
  await expect.poll(() => returned).toBe(before + 1);
  // Without an answer nothing is sent any longer, and the page says why.
  await page.getByRole('link', { name: 'Drive' }).click();
  await page.getByRole('button', { name: 'Take the lease' }).click();
  await page.getByText('ready: nothing is held').waitFor();
  await page.route('**/v1/teleop', (one) => one.abort());
  await page.keyboard.up('KeyW');
  await page.keyboard.down('KeyW');
  await expect.poll(() => state.innerText()).toContain('stopped steering');
}
