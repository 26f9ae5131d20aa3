/** One event of a stream; empty data where it only said an id, or when to come back. */
export interface ReadEvent {
  readonly event: string;
  readonly data: string;
  /** The newest id by then, as a browser keeps it. */
  readonly id: string;
}

/** Reads server-sent events as the HTML standard says: nothing of the project's is involved. */
export class EventReader {
  id = "";
  /** The newest `retry`. */
  retry: number | undefined;
  readonly retries: number[] = [];
  comments = 0;
  #rest = "";
  #event = "";
  #data: string[] = [];

  read(text: string): ReadEvent[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() as string;
    return lines.flatMap((line) => this.#line(line) ?? []);
  }

  #line(line: string): ReadEvent | undefined {
    if (line === "") {
      const event = { event: this.#event || "message", data: this.#data.join("\n"), id: this.id };
      this.#event = "";
      this.#data = [];
      return event;
    }
    const [name = "", value = ""] = line.split(/: ?(.*)/s);
    if (name === "") this.comments++;
    else if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id") this.id = value;
    else if (name === "retry") this.retries.push((this.retry = Number(value)));
    else throw new Error(`No field of an event: ${line}`);
    return undefined;
  }
}
