import { EdgeError, type LakeAsk, type LakeQueryRequest, LIMITS } from '../../contract/core.ts';

/** Tenant of this robot; others are guests. */
const OWNER = 'local';

/** A question with every limit in it. Throws `schema.invalid`. */
export function readAsk(body: LakeQueryRequest): LakeAsk & { readonly sql: string } {
  const {
    sql,
    limit = 1_000,
    timeoutMs = LIMITS.LAKE_QUERY_MS,
    bytes,
    valueBytes,
    by,
  } = body as LakeQueryRequest;
  const isCount = (value: number | undefined) =>
    value === undefined || (Number.isInteger(value) && value >= 1);
  if (typeof sql !== 'string' || ![limit, bytes, valueBytes].every(isCount) || !(timeoutMs > 0))
    throw new EdgeError('schema.invalid', {
      operation: 'lake.query',
      subject: 'request',
      message: '/: sql (text), limit, bytes, valueBytes (whole, from 1) and timeoutMs (above 0) expected',
    });
  return {
    sql,
    limit: Math.min(limit, LIMITS.LAKE_ROWS_MAX),
    timeoutMs: Math.min(timeoutMs, LIMITS.LAKE_QUERY_MS),
    ...(bytes === undefined ? {} : { bytes }),
    ...(valueBytes === undefined ? {} : { valueBytes }),
    ...(by === undefined
      ? {}
      : { by: JSON.stringify([by.tenant, by.principal]), isGuest: by.tenant !== OWNER }),
  };
}
