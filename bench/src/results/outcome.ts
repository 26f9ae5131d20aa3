/** A table of a scenario's results; cells are text, ready to be shown. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Target {
  readonly text: string;
  /** What was measured. */
  readonly value: string;
  /** undefined: could not be judged in this run, and `value` says why. */
  readonly met: boolean | undefined;
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
}

export type Plot =
  | { readonly kind: "bars"; readonly title: string; readonly unit: string; readonly bars: readonly Bar[] }
  | {
      readonly kind: "lines";
      readonly title: string;
      readonly unit: string;
      /** What the horizontal axis counts; it is logarithmic. */
      readonly across: string;
      readonly lines: readonly { readonly label: string; readonly points: readonly (readonly [x: number, y: number])[] }[];
    };

/** What a scenario found. */
export interface Outcome {
  readonly title: string;
  /** What was done, in a few sentences. */
  readonly setup: string;
  readonly tables: readonly Table[];
  readonly targets: readonly Target[];
  readonly plot: Plot;
  readonly notes?: readonly string[];
}
