/** Entry of the process that opens and encodes images: foreign files meet a native decoder here and nowhere near the robot. */

import { EdgeError } from '../../contract/core.ts';
import type { PictureAnswer, PictureQuestion } from './picture-process.ts';
import { decodePicture } from './sharp-decoder.ts';
import { SharpEncoder } from './sharp-encoder.ts';

const send = (answer: PictureAnswer) => process.send!(answer, undefined, {}, () => {});

const encoder = new SharpEncoder();

process.on('message', (question: PictureQuestion) => {
  const { id } = question;
  const work =
    'file' in question ? decodePicture(question.file) : encoder.encode(question.encode, question.options);
  work.then(
    (picture) => send({ id, picture }),
    (thrown: unknown) => {
      send({ id, error: EdgeError.from(thrown, 'sample.malformed', 'work on image', 'image').toBody() });
    },
  );
});
process.on('disconnect', () => process.exit(0));
