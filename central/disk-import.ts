import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, EdgeError, type Secrets } from '../contract/index.ts';
import { RobotDisk, robotsOnDisk } from '../io/robot-disk.ts';
import { AUTHORITY, Authority, certificatesOf } from './authority.ts';
import { Coordinator } from './coordinator.ts';
import { DiskIntake, type DiskProgress, type DiskTaken } from './disk-intake.ts';
import { DiskReceiptWriter } from './disk-receipts.ts';
import { DiskSigner } from './disk-signer.ts';
import { Enrolment } from './enrolment.ts';
import { IDENTITIES_FILE, IdentityRows } from './identity-rows.ts';
import { LaneStore } from './lane-store.ts';
import { ObjectDesk } from './object-desk.ts';
import { ObjectFiles } from './object-files.ts';
import { ObjectRows } from './object-rows.ts';
import { ReceiptSigner } from './receipt-signer.ts';
import { ANYBODY } from './require-own.ts';

export type DiskImportOptions = {
  /** A folder of the disk. */
  readonly dir: string;
  /** Of a coordinator, which may be running. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly secrets: Secrets;
  /** A PEM file: authorities whose certificates count for robots, besides the coordinator's own. */
  readonly clients?: string | undefined;
  readonly quotaBytes?: number;
  readonly onProgress?: (progress: DiskProgress) => void;
  readonly report?: (message: string, error: unknown) => void;
};

export type DiskImported = {
  readonly robots: readonly DiskTaken[];
  /** Robots of which nothing was taken, and why. */
  readonly refused: readonly { readonly robot: string; readonly code: string; readonly message: string }[];
};

/**
 * Takes what robots wrote to a disk, and writes receipts to it. Twice, or also over HTTP at the same time, is once. Rejects
 * with `config.invalid` (no coordinator there), `link.refused`, `bag.unwritable` (the disk), `quota.exceeded`.
 */
export async function importDisk(options: DiskImportOptions): Promise<DiskImported> {
  const { dataDir, clock, secrets, dir } = options;
  const pem = await secrets.read('receipt-key.pem');
  if (pem === undefined || !existsSync(join(dataDir, AUTHORITY)))
    throw new EdgeError('config.invalid', {
      ...{ operation: 'import disk', subject: dataDir },
      message: `${dataDir} is not the data of a coordinator with an authority (${AUTHORITY}): it knows no keys of robots`,
      hint: 'name it with --data-dir; auraison central --tls makes an authority, auraison central enrol NAME enrols a robot',
    });
  const signer = new ReceiptSigner(pem);
  const authority = await Authority.open(secrets, clock);
  const clients = options.clients === undefined ? '' : readFileSync(options.clients, 'utf8');
  const now = () => clock.now();
  const identities = new IdentityRows(join(dataDir, IDENTITIES_FILE), now);
  const store = new LaneStore(join(dataDir, 'central.db'), now);
  const rows = new ObjectRows(join(dataDir, 'objects.db'), now);
  const objects = new ObjectDesk({
    ...{ rows, signer, clock, report: options.report ?? (() => {}), quotaBytes: options.quotaBytes ?? 0 },
    files: new ObjectFiles(join(dataDir, 'objects')),
  });
  const intake = new DiskIntake({
    ...{ objects, clock, coordinator: new Coordinator(store, signer) },
    onProgress: options.onProgress ?? (() => {}),
  });
  const signed = new DiskSigner({
    enrolment: new Enrolment({
      ...{ rows: identities, authority, clock, authorities: authority.bundle },
      receiptKey: signer.key.public_key,
    }),
    anchors: certificatesOf(`${authority.bundle}\n${clients}`),
    clock,
  });
  const taken: DiskTaken[] = [];
  const refused: { robot: string; code: string; message: string }[] = [];
  try {
    for (const robot of await robotsOnDisk(dir)) {
      const done = await takeRobot(robot).catch((error: unknown) => {
        if (!(error instanceof EdgeError)) throw error;
        refused.push({ robot, code: error.code, message: error.message });
      });
      if (done) taken.push(done);
    }
    return { robots: taken, refused };
  } finally {
    await objects.close();
    for (const one of [identities, store, rows]) one.close();
  }

  async function takeRobot(robot: string): Promise<DiskTaken> {
    const disk = await RobotDisk.open(dir, robot, false);
    try {
      const bytes = await disk?.manifest();
      if (!disk || !bytes)
        throw new EdgeError('link.refused', {
          ...{ operation: 'import disk', subject: robot },
          message: `the folder of ${robot} has no manifest: its export was interrupted before the first item`,
          hint: `connect the disk to ${robot} again and run: auraison link export DIR`,
        });
      const manifest = signed.read(bytes, robot);
      const head = () => objects.custody(robot, '', ANYBODY).head;
      return await intake.take(manifest, disk, new DiskReceiptWriter({ robot, disk, signer, clock, head }));
    } finally {
      await disk?.close();
    }
  }
}
