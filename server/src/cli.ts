import { config as loadDotenv } from "dotenv";
import { report } from "./cli/failure.js";
import { createProgram } from "./cli/program.js";

/** The command `bellwire`. Ends the process with one line on standard error where something is wrong. */
export async function main(argv: readonly string[]): Promise<void> {
  // Real variables win over the file's.
  loadDotenv({ quiet: true });
  // Whoever read the results has seen enough, e.g. `head`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  try {
    const program = createProgram();
    // Whoever types the name alone wants to know what there is.
    if (argv.length <= 2) return program.outputHelp();
    await program.parseAsync(argv);
  } catch (error) {
    report(error);
  }
}
