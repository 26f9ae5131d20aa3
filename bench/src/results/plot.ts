import { show } from "./numbers.js";
import type { Bar, Plot } from "./outcome.js";

const WIDTH = 760;
const LEFT = 190;
const RIGHT = 90;
const INK = "#57606a";
const COLOURS = ["#0969da", "#cf222e", "#1a7f37", "#9a6700", "#8250df"];

/** Draws a plot as SVG that reads on light and dark pages. Pure. */
export function toSvg(plot: Plot): string {
  return plot.kind === "bars" ? barChart(plot) : lineChart(plot);
}

function barChart({ title, unit, bars }: Extract<Plot, { kind: "bars" }>): string {
  const row = 34;
  const height = 56 + bars.length * row + 14;
  const most = Math.max(...bars.map((bar) => bar.most), Number.MIN_VALUE);
  const width = (value: number): number => (Math.max(0, value) / most) * (WIDTH - LEFT - RIGHT);
  const rows = bars.map((bar, i) => drawBar(bar, 48 + i * row, width, COLOURS[i === 0 ? 0 : 1] as string));
  return frame(height, title, [text(WIDTH - 12, 24, unit, "end"), ...rows]);
}

function drawBar({ label, value, least, most }: Bar, y: number, width: (value: number) => number, colour: string): string {
  const middle = y + 10;
  const from = (LEFT + width(least)).toFixed(1);
  const to = (LEFT + width(most)).toFixed(1);
  return [
    text(LEFT - 10, y + 14, label, "end"),
    `<rect x="${LEFT}" y="${y}" width="${width(value).toFixed(1)}" height="20" rx="2" fill="${colour}" fill-opacity="0.75"/>`,
    `<path d="M${from} ${middle}H${to}M${from} ${middle - 4}v8M${to} ${middle - 4}v8" stroke="${INK}" fill="none"/>`,
    text(LEFT + width(most) + 8, y + 14, show(value), "start"),
  ].join("\n");
}

function lineChart({ title, unit, across, lines }: Extract<Plot, { kind: "lines" }>): string {
  const height = 340;
  const [left, right, top, bottom] = [80, WIDTH - 140, 56, height - 56];
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map(([x]) => x))].sort((a, b) => a - b);
  const most = Math.max(...points.map(([, y]) => y), Number.MIN_VALUE);
  const [low, high] = [Math.log(xs[0] ?? 1), Math.log(xs.at(-1) ?? 1)];
  const atX = (x: number): number => left + (high === low ? 0.5 : (Math.log(x) - low) / (high - low)) * (right - left);
  const atY = (y: number): number => bottom - (Math.max(0, y) / most) * (bottom - top);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = atY(most * share);
    return `<path d="M${left} ${y.toFixed(1)}H${right}" stroke="${INK}" stroke-opacity="0.25"/>\n${text(left - 8, y + 4, show(most * share), "end")}`;
  });
  const ticks = xs.map((x) => text(atX(x), bottom + 20, x.toLocaleString("en"), "middle"));
  const drawn = lines.map(({ label, points: own }, i) => {
    const colour = COLOURS[i % COLOURS.length] as string;
    const path = own.map(([x, y], k) => `${k === 0 ? "M" : "L"}${atX(x).toFixed(1)} ${atY(y).toFixed(1)}`).join("");
    const dots = own.map(([x, y]) => `<circle cx="${atX(x).toFixed(1)}" cy="${atY(y).toFixed(1)}" r="3" fill="${colour}"/>`).join("");
    const [lastX, lastY] = own.at(-1) ?? [1, 0];
    return `<path d="${path}" stroke="${colour}" stroke-width="2" fill="none"/>${dots}\n${text(atX(lastX) + 10, atY(lastY) + 4 - i, label, "start", colour)}`;
  });
  return frame(height, title, [
    text(WIDTH - 12, 24, unit, "end"),
    ...grid,
    ...ticks,
    text((left + right) / 2, height - 12, across, "middle"),
    ...drawn,
  ]);
}

function frame(height: number, title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="${escape(title)}">
${text(12, 24, title, "start", INK, "bold")}
${parts.join("\n")}
</svg>
`;
}

function text(x: number, y: number, content: string, anchor: string, fill: string = INK, weight = "normal"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${fill}" font-weight="${weight}">${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
