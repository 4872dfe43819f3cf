import type { SegmentInfo } from '../../../contract/core.ts';
import type { ApiClient } from '../../../daemon/client/api-client.ts';
import { bytes } from '../../output.ts';

export async function seal(api: ApiClient): Promise<readonly SegmentInfo[]> {
  return (await api.post<{ result: readonly SegmentInfo[] }>('/v1/recorder/seal')).result;
}

export function segmentLines(segments: readonly SegmentInfo[]): string[] {
  return segments.map(
    (s) =>
      `${s.path}  ${s.messages} messages  ${bytes(s.bytes)}  sha256 ${s.sha256.slice(0, 16)}…${s.repaired ? '  (repaired)' : ''}`,
  );
}
