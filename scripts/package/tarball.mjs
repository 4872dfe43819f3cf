export function makeTarball() {
  throw new Error('later');
}
