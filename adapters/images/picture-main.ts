/** Entry of the process that opens compressed pictures: foreign files meet a native decoder here and nowhere near the robot. */

import { EdgeError } from '../../contract/core.ts';
import type { PictureAnswer, PictureQuestion } from './picture-process.ts';
import { decodePicture } from './sharp-decoder.ts';

const send = (answer: PictureAnswer) => process.send!(answer, undefined, {}, () => {});

process.on('message', ({ id, file }: PictureQuestion) => {
  decodePicture(file).then(
    (picture) => send({ id, picture }),
    (thrown: unknown) => {
      send({ id, error: EdgeError.from(thrown, 'sample.malformed', 'decode picture', 'picture').toBody() });
    },
  );
});
process.on('disconnect', () => process.exit(0));
