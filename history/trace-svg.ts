import type { TraceSpan } from '../contract/index.ts';
import { duration, type Row, waterfall } from './waterfall.ts';

const NAMES = 330;
const BARS = 760;
const ENDS = 150;
const WIDTH = NAMES + BARS + ENDS;
const ROW = 22;
const TOP = 92;
/** Lines of the scale, about. */
const TICKS = 8;

const KINDS = ['intent', 'run', 'phase', 'model', 'tool', 'motion', 'approval'] as const;

/** Colours that people with red-green blindness can distinguish, on white and on black. */
const STYLE = `
text { fill: #1f2933; font: 12px system-ui, sans-serif }
.back { fill: #ffffff } .even { fill: #f4f6f8 } .line { stroke: #d5dce2 } .twig { stroke: #b6c1ca; fill: none }
.title { font-size: 16px; font-weight: 600 } .faint { fill: #6b7a87 } .end { fill: #3e4c59 }
.failed { fill: #c62828; font-weight: 600 } .wrong { stroke: #c62828; stroke-width: 2 } .open { fill-opacity: 0.45 }
.intent { fill: #7b8794 } .run { fill: #52606d } .phase { fill: #9fb3c8 } .model { fill: #7a5bb8 }
.tool { fill: #2f8f5b } .motion { fill: #2080a8 } .approval { fill: #e08a1e }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e7eb } .back { fill: #14181c } .even { fill: #1b2127 } .line { stroke: #323c45 }
  .twig { stroke: #4d5a66 } .faint { fill: #8b99a6 } .end { fill: #cbd2d9 } .failed { fill: #ff7b72 }
  .wrong { stroke: #ff7b72 }
}`;

/** A waterfall as an SVG that needs nothing but itself: no script, no font, no address. */
export function drawTraceSvg(spans: readonly TraceSpan[], title: string): string {
  const { rows, totalMs, left } = waterfall(spans);
  const scale = totalMs === 0 ? 0 : BARS / totalMs;
  const bottom = TOP + rows.length * ROW;
  const height = bottom + (left > 0 ? 40 : 16);
  const failed = rows.filter(({ span }) => !span.ok).length;
  const said = `${rows.length + left} spans, ${duration(totalMs)}${failed > 0 ? `, ${failed} failed` : ''}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${xml(title)}</title><style>${STYLE}</style>`,
    `<defs><clipPath id="names"><rect width="${NAMES - 10}" height="${height}"/></clipPath></defs>`,
    '<rect class="back" width="100%" height="100%"/>',
    `<text class="title" x="12" y="26">${xml(title)}</text><text class="faint" x="12" y="46">${said}</text>`,
    legend(rows),
    ...rows.map((_, i) => (i % 2 === 0 ? stripe(i) : '')),
    ...ticksOf(totalMs).map((ms) => tick(ms, scale, bottom)),
    ...rows.map((row, i) => bar(row, i, scale)),
    left > 0 ? `<text class="faint" x="12" y="${bottom + 24}">and ${left} more</text>` : '',
    '</svg>\n',
  ].join('');
}

function legend(rows: readonly Row[]): string {
  const shown = KINDS.filter((kind) => rows.some(({ span }) => span.kind === kind));
  return shown
    .map((kind, i) => {
      const x = NAMES + i * 92;
      return `<rect class="${kind}" x="${x}" y="36" width="12" height="12" rx="2"/><text x="${x + 18}" y="46">${kind}</text>`;
    })
    .join('');
}

function stripe(i: number): string {
  return `<rect class="even" x="0" y="${TOP + i * ROW}" width="${WIDTH}" height="${ROW}"/>`;
}

function tick(ms: number, scale: number, bottom: number): string {
  const x = round(NAMES + ms * scale);
  const name = ms === 0 ? '0' : duration(ms);
  return `<line class="line" x1="${x}" y1="${TOP - 8}" x2="${x}" y2="${bottom}"/><text class="faint" x="${x}" y="${TOP - 14}" text-anchor="middle">${name}</text>`;
}

function bar({ span, depth, start, length, parentRow }: Row, i: number, scale: number): string {
  const y = TOP + i * ROW;
  const x = NAMES + start * scale;
  const width = Math.max(2, length * scale);
  const hint = `${span.name}, ${duration(length)}${span.error === '' ? '' : `, ${span.error}`}`;
  const twig =
    parentRow === undefined
      ? ''
      : `<path class="twig" d="M${4 + depth * 14} ${TOP + (parentRow + 1) * ROW - 3}V${y + ROW / 2}h6"/>`;
  const look = [span.kind, span.ok ? '' : 'wrong', span.end_ns === undefined ? 'open' : ''].filter(Boolean);
  const end = span.end_ns === undefined ? `${duration(length)} …` : duration(length);
  const fault = span.ok ? '' : ` <tspan class="failed">${xml(clip(span.error || 'failed', 14))}</tspan>`;
  return [
    `<g><title>${xml(hint)}</title>${twig}`,
    `<text x="${14 + depth * 14}" y="${y + 15}" clip-path="url(#names)">${xml(span.name)}</text>`,
    `<rect class="${look.join(' ')}" x="${round(x)}" y="${y + 5}" width="${round(width)}" height="${ROW - 10}" rx="3"/>`,
    `<text class="end" x="${NAMES + BARS + 12}" y="${y + 15}">${end}${fault}</text></g>`,
  ].join('');
}

/** Round times for the scale, milliseconds. */
function ticksOf(totalMs: number): number[] {
  if (totalMs <= 0) return [0];
  const rough = totalMs / TICKS;
  const steps =
    rough >= 60_000 ? [60_000, 300_000, 600_000, 1_800_000, 3_600_000, 86_400_000] : decimal(rough);
  const step = steps.find((one) => one >= rough) ?? rough;
  return Array.from({ length: Math.floor(totalMs / step) + 1 }, (_, i) => i * step);
}

function decimal(rough: number): number[] {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((one) => one * power);
}

function clip(text: string, characters: number): string {
  return text.length > characters ? `${text.slice(0, characters - 1)}…` : text;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Names come from models and foreign clients: they are escaped, and characters that XML forbids are left out. */
function xml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
