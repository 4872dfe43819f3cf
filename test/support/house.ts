import {
  type AgentEvent,
  type EncodedImage,
  IdSource,
  type ImageEncoder,
  type Picture,
  type Tool,
} from '../../contract/index.ts';
import { houseTools } from '../../daemon/runtime/house-tools.ts';
import { ArmProxy } from '../../daemon/runtime/robot/arm-proxy.ts';
import { RobotProxy } from '../../daemon/runtime/robot/robot-proxy.ts';
import { QuestionDesk } from '../../daemon/runtime/tools/question-desk.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** An encoder that keeps the pixels as they are: what was seen can be compared. */
export class PlainEncoder implements ImageEncoder {
  close(): void {}

  readonly seen: Picture[] = [];

  async encode(picture: Picture): Promise<EncodedImage> {
    this.seen.push(picture);
    const size = picture.kind === 'pixels' ? picture : { width: 1, height: 1 };
    const { width, height } = size;
    return { mime: 'image/jpeg', data: picture.data, width, height, from: { width, height } };
  }
}

/** The tools of the house over a bus of this process. `history` is what `plan.step` reads. */
export function makeHouse(
  bus: FakeBus,
  clock: ManualClock,
  history: (runId: string) => Iterable<AgentEvent> = () => [],
) {
  let counter = 0;
  const ids = new IdSource(
    () => Number(clock.now() / 1_000_000n),
    (length) => new Uint8Array(length).fill(++counter),
  );
  const desk = new QuestionDesk({ clock, reader: { read: () => [] }, emit: async () => {} });
  const tools = houseTools({
    robot: new RobotProxy(bus, clock, ids),
    arm: new ArmProxy(bus, clock, ids),
    bus,
    clock,
    image: { sideMax: 64, quality: 80 },
    topics: { camera: '', scan: '' },
    desk,
    history,
    shelfOf: () => undefined,
  });
  const named = (name: string): Tool => tools.find(({ spec }) => spec.name === name)!;
  return { tools, named, desk, ids };
}

/** The tools as docs/tools.md and property tests see them: nobody is asked anything. */
export function houseSpecs() {
  const clock = new ManualClock();
  return makeHouse(new FakeBus(clock), clock).tools;
}
