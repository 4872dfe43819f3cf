import {
  DuckDBTypeId,
  type DuckDBValueConverter,
  type Json,
  JsonDuckDBValueConverter,
} from '@duckdb/node-api';

const INTEGERS: ReadonlySet<DuckDBTypeId> = new Set([
  ...[DuckDBTypeId.BIGINT, DuckDBTypeId.UBIGINT, DuckDBTypeId.HUGEINT, DuckDBTypeId.UHUGEINT],
]);

/**
 * Values as JSON has them: integers are numbers where JSON keeps them exact and text above 2^53, decimals and
 * times are text, lists and structs nest, NaN and infinities are text.
 */
export const jsonValue: DuckDBValueConverter<Json> = (value, type, converter) => {
  if (value === null || value === undefined) return null;
  if (!INTEGERS.has(type.typeId)) return JsonDuckDBValueConverter(value, type, converter);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
};
