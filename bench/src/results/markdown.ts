import type { Table, Target } from "./outcome.js";
import type { Kept } from "./kept.js";

/** RESULTS.md as text. Pure. */
export function toMarkdown(results: readonly Kept[], peers: readonly string[]): string {
  const targets = results.flatMap(({ outcome }) => outcome.targets);
  const met = targets.filter((target) => target.met === true).length;
  const judged = targets.filter((target) => target.met !== undefined).length;
  return `${[
    "# Results of the bench",
    "Written by `npm run bench`; how each is measured and how to read it stands in [README.md](README.md). Every comparison is a ratio of figures taken in the same round, and the median over the rounds.",
    `**${met} of ${judged} targets met.**`,
    summary(results),
    peers.map((peer) => `- ${peer}`).join("\n"),
    ...results.map(section),
  ].join("\n\n")}\n`;
}

function summary(results: readonly Kept[]): string {
  const rows = results.flatMap(({ name, outcome }) =>
    outcome.targets.map((target) => [`[${name}](#${anchor(outcome.title)})`, target.text, target.value, verdict(target)]),
  );
  return table({ columns: ["scenario", "target", "measured", "met"], rows });
}

function section({ name, outcome, surroundings, absent }: Kept): string {
  const { title, setup, tables, targets, notes = [] } = outcome;
  const { date, commit, machine, versions, rounds } = surroundings;
  const left = absent.map((reason) => `Left out: ${reason}.`);
  return [
    `## ${title}`,
    setup,
    `![${outcome.plot.title}](results/${name}.svg)`,
    ...tables.map(table),
    targets.map((target) => `- ${target.text}: **${target.value}** (${verdict(target)})`).join("\n"),
    ...[...notes, ...left],
    `<sub>${date}, commit ${commit}, ${rounds} ${rounds === 1 ? "round" : "rounds"}, ${machine}. ${versions}.</sub>`,
  ].join("\n\n");
}

function table({ columns, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(columns), line(columns.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

function verdict({ met }: Target): string {
  return met === undefined ? "not judged" : met ? "met" : "**missed**";
}

/** As Markdown renderers make them of headings. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, "")
    .replace(/\s/g, "-");
}
