import { type DiskManifest, diskManifestChecker, diskText, EdgeError, parseJson } from '../contract/index.ts';
import { RobotSignature, type RobotSignatureParts } from './robot-signature.ts';

/** Says whose manifest it is: what lies on a disk counts as if this robot had sent it. */
export class DiskSigner {
  readonly #signature: RobotSignature;

  constructor(parts: RobotSignatureParts) {
    this.#signature = new RobotSignature(parts);
  }

  /**
   * The manifest in the folder of `robot`, when the key of that robot signed it. Throws `schema.invalid`, `link.refused` (the
   * signature), `api.unauthorised` (the certificate).
   */
  read(bytes: Uint8Array, robot: string): DiskManifest {
    const manifest = diskManifestChecker.parse(jsonOf(bytes, robot), `manifest of ${robot}`);
    if (manifest.robot !== robot)
      throw refused(robot, `the folder of ${robot} has the manifest of ${manifest.robot}`);
    try {
      // The robot may have been without a network for longer than its certificate lasts.
      this.#signature.require(manifest, diskText(manifest), 'manifest', true);
    } catch (error) {
      if (error instanceof EdgeError && error.code === 'link.refused') throw refused(robot, error.message);
      throw error;
    }
    return manifest;
  }
}

function jsonOf(bytes: Uint8Array, robot: string): unknown {
  try {
    return parseJson(Buffer.from(bytes).toString());
  } catch (cause) {
    throw refused(robot, `the manifest of ${robot} is not JSON: ${(cause as Error).message}`);
  }
}

function refused(robot: string, message: string): EdgeError {
  return new EdgeError('link.refused', {
    ...{ operation: 'import disk', subject: robot, message },
    hint: 'nothing of this robot was taken; export again at the robot',
  });
}
