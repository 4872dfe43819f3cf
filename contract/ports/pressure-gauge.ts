/** One thing that can be too much for another agent: load of the host, requests that wait at a model. */
export interface PressureGauge {
  readonly name: string;
  /** Of the value and the limit, for people. */
  readonly unit: string;
  /** Above it no further agent starts; 0: no limit. */
  readonly limit: number;
  /** Quick, about once a second; never throws. Undefined where it cannot be measured: nothing is held back then. */
  read(): number | undefined;
}
