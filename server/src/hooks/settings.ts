/** How a backend is asked. Durations are milliseconds. */
export interface CallSettings {
  /** For a whole question: waiting for its turn, all attempts and the pauses between them. */
  readonly timeout: number;
  /** Questions under way at a time. */
  readonly concurrency: number;
  /** Questions of one site that may wait for their turn, ten times as many of all; a further one is refused with `limit` at once. */
  readonly queue: number;
  /** The sites that it answers for; undefined: all. */
  readonly sites?: readonly string[] | undefined;
}

/** A backend that answers questions at one address. */
export interface BackendSettings extends CallSettings {
  readonly url: string;
  /** Further attempts after a connection that failed or an answer of 500 and above. */
  readonly retries: number;
  /** What becomes of a question where the backend is not there: refused, or taken for allowed. Whatever else fails is refused. */
  readonly onFailure: "refuse" | "allow";
  /** Of subscribe and publish: names, prefixes that end in `*`, or patterns like `user.{uuid}`; undefined: all. */
  readonly topics?: readonly string[] | undefined;
  /** Of rpc: names, or prefixes that end in `*`; undefined: all. */
  readonly methods?: readonly string[] | undefined;
}

/** An application whose own addresses are called, as `get:users/1`. */
export interface HttpFormSettings extends CallSettings {
  /** What paths are added to; ends in a slash. */
  readonly http: string;
  /** `verb:path`, whole or as a prefix that ends in `*`. */
  readonly allow: readonly string[];
}

export type NoticeEvent = "connected" | "disconnected" | "occupied" | "vacated";

/** Where notices go. */
export interface NoticeSettings {
  readonly url: string;
  readonly events: readonly NoticeEvent[];
  readonly timeout: number;
  /** The topics whose `occupied` and `vacated` are told; names, or prefixes that end in `*`. */
  readonly topics: readonly string[];
  /** Whether `occupied` and `vacated` are told for each (topic, filter), and not for topics as a whole. */
  readonly filters: boolean;
}

/** The configuration file's `hooks`. Of each list, the first that fits is asked. */
export interface HookSettings {
  /** `whsec_<base64>` each; every one signs. None: a key derived from APP_KEY does. */
  readonly secret: readonly string[];
  /** The browser's headers that are passed on, in lower case; `cookie:<name>` for one cookie. */
  readonly headers: readonly string[];
  readonly connect: readonly BackendSettings[];
  readonly refresh: readonly BackendSettings[];
  readonly subscribe: readonly BackendSettings[];
  readonly publish: readonly BackendSettings[];
  readonly rpc: readonly (BackendSettings | HttpFormSettings)[];
  readonly notices: NoticeSettings | undefined;
}
