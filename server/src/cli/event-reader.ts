/** One event of a stream. */
export interface ServerEvent {
  readonly event: string;
  /** Empty where the stream only said an id, or when to come back. */
  readonly data: string;
  /** The newest id by then. */
  readonly id: string;
}

/** Reads server-sent events as the HTML standard says, from text that comes in any pieces. Pure. */
export class EventReader {
  /** The newest id. */
  id = "";
  /** Milliseconds after which to come back; undefined until the stream has said it. */
  retry: number | undefined;
  #rest = "";
  #event = "";
  #data: string[] = [];

  read(text: string): ServerEvent[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() as string;
    return lines.flatMap((line) => this.#line(line.endsWith("\r") ? line.slice(0, -1) : line) ?? []);
  }

  #line(line: string): ServerEvent | undefined {
    if (line === "") {
      const event = { event: this.#event, data: this.#data.join("\n"), id: this.id };
      this.#event = "";
      this.#data = [];
      return event;
    }
    const at = line.indexOf(":");
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(line[at + 1] === " " ? at + 2 : at + 1);
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id") this.id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return undefined;
  }
}
