import { writeFileSync } from "node:fs";
import Mocha from "mocha";

const { EVENT_RUN_END, EVENT_SUITE_BEGIN, EVENT_SUITE_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } = Mocha.Runner.constants;

/** How long a process may live on after its last test. */
const GRACE_MS = 15_000;

/**
 * One line per suite while it runs, every failure in full, and one plain line of numbers at the end.
 * Mocha's own reporters have no such line.
 *
 * Option `counts`: a file to which the numbers go, after each suite, in place of that last line.
 */
export default class Reporter extends Mocha.reporters.Base {
  constructor(runner, options) {
    super(runner, options);
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const file = options.reporterOptions?.counts;
    const save = () => {
      if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
    };
    let suite;

    runner.on(EVENT_SUITE_BEGIN, (begun) => {
      // Suites directly below a file: deeper ones would say more than anybody reads.
      if (begun.parent?.root) suite = { title: begun.title, begin: Date.now(), before: { ...counts } };
    });
    runner.on(EVENT_SUITE_END, (ended) => {
      if (!ended.parent?.root || suite === undefined) return;
      const { before, begin, title } = suite;
      const failed = counts.failed - before.failed;
      const skipped = counts.skipped - before.skipped;
      const numbers = [`${counts.passed - before.passed} passed`, failed && `${failed} FAILED`, skipped && `${skipped} skipped`];
      console.log(
        `${failed ? "FAIL" : "ok  "} ${title}: ${numbers.filter(Boolean).join(", ")} (${((Date.now() - begin) / 1000).toFixed(1)} s)`,
      );
      save();
    });
    runner.on(EVENT_TEST_PASS, () => counts.passed++);
    runner.on(EVENT_TEST_PENDING, () => counts.skipped++);
    runner.on(EVENT_TEST_FAIL, (test, error) => {
      counts.failed++;
      // At once, so that a run which hangs later has still told it.
      console.log(`FAIL ${test.fullTitle()}: ${String(error.message).split("\n", 1)[0]}`);
      save();
    });
    runner.once(EVENT_RUN_END, () => {
      if (this.failures.length > 0) Mocha.reporters.Base.list(this.failures);
      save();
      setTimeout(() => {
        console.error(
          `The tests are over, but something that one of them left open keeps the process alive: ${process.getActiveResourcesInfo().join(", ")}`,
        );
        // Mocha sets the exit code from its own count of failures, so this one goes through the file.
        counts.failed++;
        save();
        process.exit(1);
      }, GRACE_MS).unref();
      if (file === undefined) console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
    });
  }
}
