import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  type BagDetails,
  type BagFileInfo,
  type BagInfo,
  bagDetails,
  bagInfo,
  openBag,
  type TopicDetails,
} from '../../../adapters/rosbag/index.ts';
import type { LedgerLine } from '../../../contract/core.ts';
import { action } from '../../context.ts';
import { bytes, type Output, table } from '../../output.ts';
import { absentLines, absentView } from './copy.ts';

type Flags = { deep?: boolean; quick?: boolean };
type View = BagInfo & { readonly details: BagDetails | undefined };

/**
 * Bags smaller than this are read completely for sizes and gaps, also without the option: it takes a second or less.
 */
const DEEP_BYTES_MAX = 256 * 1000 * 1000;

export function addInfoCommand(bag: Command): void {
  bag
    .command('info <paths...>')
    .description(
      'what a recording holds: topics, counts, times, sizes, gaps, quality of service, compression; exit code 1 where a file is damaged',
    )
    .option(
      '--deep',
      'read every message (sizes, gaps, checksums), however large the bag; default below 256 MB',
    )
    .option('--quick', 'only what the index holds')
    .addHelpText(
      'after',
      `
A file without footer is shown with what its repair would bring back; auraison bag convert makes it whole.

Examples:
  auraison bag info ~/.local/share/auraison-edge/bags/*
  auraison bag info run.mcap --deep --json`,
    )
    .action(
      action(async ({ out }, paths: string[], flags: Flags) => {
        const views: View[] = [];
        for (const path of paths) views.push(await look(resolve(path), flags, out));
        const values = views.map(jsonView);
        out.result(values.length === 1 ? values[0] : values, () => views.map(infoText).join('\n\n'));
        const faults = views.flatMap(faultsOf);
        for (const { subject, message } of faults) out.note(`auraison: ${subject}: ${message}`);
        return faults.length === 0 ? 0 : 1;
      }),
    );
}

async function look(path: string, flags: Flags, out: Output): Promise<View> {
  const info = await bagInfo(path);
  const isReadable = info.files.every(({ storage }) => storage !== 'unreadable');
  const isDeep = flags.deep === true || (flags.quick !== true && info.bytes <= DEEP_BYTES_MAX);
  if (!isReadable || !isDeep) return { ...info, details: undefined };
  const bag = await openBag(path);
  let last = performance.now();
  try {
    const details = await bagDetails(bag, (messages) => {
      if (performance.now() - last < 1_000) return;
      last = performance.now();
      out.note(`  ${messages} of ${info.messages} messages`);
    });
    return { ...info, details };
  } finally {
    await bag.close();
  }
}

function faultsOf({ files, notesFault, details }: View) {
  const found = files.flatMap(({ path, fault }) =>
    fault ? [{ subject: path, message: fault.message }] : [],
  );
  if (notesFault) found.push({ subject: notesFault.subject, message: notesFault.message });
  const known = new Set(found.map(({ message }) => message));
  const deeper = (details?.faults ?? []).filter(({ message }) => !known.has(message));
  return [...found, ...deeper.map(({ subject, message }) => ({ subject, message }))];
}

function jsonView(view: View) {
  const { details, notes, notesFault, topics, files, absent, ...rest } = view;
  return {
    ...rest,
    duration_s: Number(view.endNs - view.startNs) / 1e9,
    files,
    topics: topics.map(({ topic, type, messages, qos, definition }) => ({
      topic,
      type,
      messages,
      qos,
      has_definition: definition !== undefined,
      ...detailsView(details?.topics.find((one) => one.topic === topic)),
    })),
    metadata: notes,
    metadata_fault: notesFault,
    deep: details !== undefined,
    ledger: ledgerOf(files),
    absent: absent.map(absentView),
    faults: faultsOf(view),
  };
}

/** The loss ledger of a bag of this daemon: of all its segments, by topic. */
function ledgerOf(files: readonly BagFileInfo[]): Record<string, LedgerLine> | undefined {
  const lines = files.flatMap(({ metadata }) => Object.values(metadata['auraison.losses'] ?? {}));
  if (lines.length === 0) return undefined;
  const ledger: Record<string, { -readonly [K in keyof LedgerLine]: LedgerLine[K] }> = {};
  for (const text of lines) {
    let line: LedgerLine;
    try {
      line = JSON.parse(text) as LedgerLine;
    } catch {
      continue; // a record of that name from another program
    }
    const known = ledger[line.topic] ?? { topic: line.topic, received: 0, written: 0, dropped: {} };
    ledger[line.topic] = known;
    known.received += line.received;
    known.written += line.written;
    const dropped: Record<string, number> = { ...known.dropped };
    for (const [reason, count] of Object.entries(line.dropped))
      dropped[reason] = (dropped[reason] ?? 0) + count;
    known.dropped = dropped;
  }
  return ledger;
}

function detailsView(details: TopicDetails | undefined) {
  if (!details) return {};
  const { bytes, bytesMin, bytesMax, firstNs, lastNs, hz, gapMs, gapAtNs } = details;
  const sizes = { bytes, bytes_min: bytesMin, bytes_max: bytesMax };
  return { ...sizes, first_ns: firstNs, last_ns: lastNs, hz, gap_ms_max: gapMs, gap_at_ns: gapAtNs };
}

function infoText(view: View): string {
  const { path, messages, startNs, endNs, details, notes } = view;
  const seconds = Number(endNs - startNs) / 1e9;
  const time = (ns: bigint) => new Date(Number(ns / 1_000_000n)).toISOString().replace('T', ' ');
  const topics = view.topics.map((topic) => {
    const found = details?.topics.find((one) => one.topic === topic.topic);
    const hz = found?.hz ?? (seconds > 0 ? topic.messages / seconds : 0);
    const quality = topic.qos ? `${topic.qos.reliability} ${topic.qos.durability}` : '';
    const deep = found ? [bytes(found.bytes), `${(found.gapMs / 1000).toFixed(2)} s`] : [];
    return [topic.topic, topic.type, String(topic.messages), `${hz.toFixed(1)} Hz`, ...deep, quality];
  });
  const deepTitles = details ? ['SIZE', 'LONGEST GAP'] : [];
  return [
    `${path}: ${messages} messages, ${bytes(view.bytes)}, ${seconds.toFixed(1)} s`,
    ...(messages === 0 ? [] : [`from ${time(startNs)} to ${time(endNs)}`]),
    ...(notes?.rosDistro ? [`recorded by ROS 2 ${notes.rosDistro}`] : []),
    '',
    table(['FILE', 'STORAGE', 'SIZE', 'MESSAGES', 'COMPRESSION', 'FAULT'], view.files.map(fileRow)),
    ...view.files.flatMap(fileNotes),
    ...absentLines(view.absent),
    ...ledgerLines(view.files),
    '',
    table(['TOPIC', 'TYPE', 'MESSAGES', 'RATE', ...deepTitles, 'QOS'], topics),
  ].join('\n');
}

function ledgerLines(files: readonly BagFileInfo[]): string[] {
  const ledger = ledgerOf(files);
  if (!ledger) return [];
  const sum = (count: (line: LedgerLine) => number) =>
    Object.values(ledger).reduce((total, line) => total + count(line), 0);
  const dropped = sum((line) => Object.values(line.dropped).reduce((a, b) => (a ?? 0) + (b ?? 0), 0) ?? 0);
  return [
    `ledger: received ${sum((line) => line.received)}, written ${sum((line) => line.written)}, dropped ${dropped}`,
  ];
}

function fileRow({ path, storage, bytes: size, messages, compression, fault }: BagFileInfo): string[] {
  return [path, storage, bytes(size), String(messages), compression.join(' '), fault?.message ?? ''];
}

function fileNotes({ path, attachments, metadata, recoverable }: BagFileInfo): string[] {
  const name = path.split('/').at(-1);
  return [
    ...attachments.map((a) => `${name}: attachment ${a.name} (${a.mediaType}, ${bytes(a.bytes)})`),
    ...Object.entries(metadata)
      .filter(([key]) => key !== 'rosbag2' && key !== 'auraison.losses')
      .map(([key, values]) => {
        const text = Object.entries(values).map((entry) => entry.join('='));
        return `${name}: ${key} ${text.join(' ')}`.slice(0, 400);
      }),
    ...(recoverable
      ? [
          `${name}: ${recoverable.messages} messages can be read (${recoverable.ofCutChunk} of the truncated chunk), ${bytes(recoverable.lostBytes)} cannot`,
        ]
      : []),
  ];
}
