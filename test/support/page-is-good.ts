import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 860 };

/** Nothing is wider than a phone, and nothing that axe knows keeps a person out, in dark and light. SCREENSHOTS=folder keeps pictures. */
export async function pageIsGood(page: Page, name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  for (const [size, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    await page.setViewportSize(viewport);
    expect(await page.evaluate('document.documentElement.scrollWidth'), `${name}, ${size}`).toBe(
      viewport.width,
    );
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      const path = join(folder ?? '', `${name}-${size}-${colorScheme}.png`);
      if (folder) await page.screenshot({ path, fullPage: true });
      if (size === 'phone') continue;
      const faults = await page.evaluate(
        `${AXE}; axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 200)).join(' | ')))`,
      );
      expect(faults, name).toEqual([]);
    }
  }
}
