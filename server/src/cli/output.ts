/** A result: on standard output, for the next program. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A result as one line of JSON. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

/** What is said beside: on standard error, for whoever looks on. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
