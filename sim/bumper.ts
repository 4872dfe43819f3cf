/** A contact that is lost for less than this is the same contact, steps: a real bumper's spring is slower. */
const RELEASE_STEPS = 20;

/** Counts contacts of the bumper, each once from touch to release. */
export class Bumper {
  #sinceForce = Infinity;
  #contacts = 0;
  #hardest = 0;

  get pressed(): boolean {
    return this.#sinceForce < RELEASE_STEPS;
  }
  get contacts(): number {
    return this.#contacts;
  }
  /** Fastest that the robot was when it touched something, metres per second. */
  get hardest(): number {
    return this.#hardest;
  }

  /** After each physics step: the force on the bumper in newtons, and the speed just before. */
  step(force: number, speed: number): void {
    if (force <= 0) {
      this.#sinceForce++;
      return;
    }
    if (!this.pressed) {
      this.#contacts++;
      this.#hardest = Math.max(this.#hardest, speed);
    }
    this.#sinceForce = 0;
  }
}
