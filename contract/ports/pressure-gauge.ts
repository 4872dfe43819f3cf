/** One load that can hold back another agent: load of the host, requests that wait at a model. */
export interface PressureGauge {
  readonly name: string;
  /** Unit of the value and the limit, for people. */
  readonly unit: string;
  /** Above it no further agent starts; 0: no limit. */
  readonly limit: number;
  /** Quick, about once a second; never throws. Undefined where it cannot be measured: nothing is held back then. */
  read(): number | undefined;
}
