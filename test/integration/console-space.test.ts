import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { freshDir } from '../support/daemon.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';
import { LiveRobot } from '../support/live-robot.ts';
import { publishMoment } from '../support/live-scene.ts';
import { pageIsGood } from '../support/page-is-good.ts';

/** The robot in 3D, in a real browser that draws by software: a small window, and few images. */
const SMALL = { width: 480, height: 560 };
const URDF = `<robot name="lab">
  <link name="base_link"><visual><geometry><box size="0.6 0.5 0.2"/></geometry>
    <material name="blue"><color rgba="0.1 0.1 0.9 1"/></material></visual></link>
  <link name="arm"><visual><geometry><mesh filename="package://lab/arm.stl"/></geometry></visual></link>
  <joint name="shoulder" type="continuous"><parent link="base_link"/><child link="arm"/><axis xyz="0 1 0"/></joint>
</robot>`;
const directory = freshDir('space');
let rig: Rig;
let robot: LiveRobot;
let browser: Browser;
let page: Page;
let timer: ReturnType<typeof setInterval> | undefined;
const problems: string[] = [];

beforeAll(async () => {
  rig = await startRig();
  answerAll(rig);
  robot = new LiveRobot(rig, directory.path);
  robot.urdf = URDF;
  await robot.start();
});
afterAll(async () => {
  robot?.stop();
  await rig?.stop();
  directory.remove();
});
afterEach(async () => {
  clearInterval(timer);
  await browser?.close();
  expect(problems).toEqual([]);
});

async function open(...flags: string[]): Promise<void> {
  browser = await launchBrowser(flags);
  page = await browser.newPage({ viewport: SMALL });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (/content security|trusted/i.test(message.text())) problems.push(message.text());
  });
  await page.goto(`${rig.url}/#/3d`);
  await page.locator('input[type=password]').fill(TOKEN);
  await page.locator('input[type=password]').press('Enter');
}

/** Share of the pixels of the view that are blue: the base of the robot. */
async function blueShare(): Promise<number> {
  const image = await page.locator('.space-box canvas').screenshot();
  const { data, info } = await sharp(image).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  let blue = 0;
  for (let i = 0; i < data.length; i += 3)
    if (data[i + 2]! > 90 && data[i + 2]! > 2.5 * data[i]! && data[i + 2]! > 2.5 * data[i + 1]!) blue += 1;
  return blue / info.width / info.height;
}

it('draws the robot by its description where its frames are, turns by keys and drag, and says what is old', async () => {
  timer = setInterval(() => {
    publishMoment(robot, 1);
    robot.publish('/joint_states', 'sensor_msgs/msg/JointState', { name: ['shoulder'], position: [1] });
  }, 1_000);
  await open('--use-angle=swiftshader', '--enable-unsafe-swiftshader');
  const canvas = page.locator('.space-box canvas');
  await page.getByText('lab: 2 of 2 links are placed. 1 mesh is not drawn').waitFor();
  await expect
    .poll(() => canvas.getAttribute('aria-label'))
    .toMatch(/frame map with 3 layers, robot at -?\d/);
  await page.getByRole('button', { name: 'From above' }).click();
  await page.getByRole('group', { name: '3D view' }).press('+');
  const first = page.url();
  await expect.poll(blueShare).toBeGreaterThan(0.004);
  await page.getByRole('group', { name: '3D view' }).press('ArrowLeft');
  await expect.poll(() => page.url()).not.toBe(first);
  const box = (await canvas.boundingBox())!;
  const turned = page.url();
  await page.mouse.move(box.x + 100, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + 140, box.y + 120);
  await page.mouse.up();
  await expect.poll(() => page.url()).not.toBe(turned);
  const folder = process.env['SCREENSHOTS'];
  if (folder) await page.screenshot({ path: join(folder, '3d.png') });
  // The robot alone is left out.
  await page.getByLabel('robot', { exact: true }).uncheck();
  await expect.poll(blueShare).toBeLessThan(0.001);
  await page.getByLabel('robot', { exact: true }).check();
  clearInterval(timer);
  robot.goAway();
  await page.getByText('as last seen: ').waitFor();
  expect(await canvas.getAttribute('class')).toBe('old');
  await robot.comeBack();
});

it('says so where there is no WebGL and no description', async () => {
  robot.urdf = undefined;
  await open('--disable-3d-apis');
  await page.getByText('This browser draws nothing in 3D').waitFor();
  await page.getByText('The robot has no description: no topic /robot_description').waitFor();
  expect(await page.locator('#space-fault a').getAttribute('href')).toBe('#/map');
  await pageIsGood(page, '3d');
});
