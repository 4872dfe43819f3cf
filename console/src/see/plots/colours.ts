/** Colours of signals, distinguishable on the ground of the theme. More signals than colours are dashed. */
const LIGHT = ['#0b57d0', '#b3261e', '#12763d', '#8a5a00', '#7a3db8', '#00707a', '#b0246f', '#52606d'];
const DARK = ['#8ab4f8', '#ff8a80', '#6bd494', '#f2b84b', '#c9a3f5', '#5fd3dd', '#f48fc0', '#b4c0cc'];

export const colourOf = (index: number, dark: boolean): string =>
  (dark ? DARK : LIGHT)[index % LIGHT.length]!;
export const dashOf = (index: number): number[] =>
  [[], [8, 4], [2, 4], [10, 4, 2, 4]][Math.floor(index / 8) % 4]!;
