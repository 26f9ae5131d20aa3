/** The data of every message of the bench; about 60 bytes of JSON, with what the load looks for at its beginning. */
export interface Data {
  readonly n: number;
  readonly at: number;
  readonly id: number;
  readonly by: string;
}

export interface Address {
  readonly site: string | undefined;
  readonly topic: string;
  /** Whether there are filters on `id`, so that peers without them publish to the id's room too. */
  readonly filtered: boolean;
}

/** One peer's documented way to publish. What it gives resolves when the message was taken. */
export type Send = (address: Address, data: Data) => Promise<unknown>;
