/** How a body may travel, as `Content-Encoding` names it; `identity`: as it is. */
export type Coding = "br" | "gzip" | "identity";

/** The smallest body that somebody takes. @param header an Accept-Encoding, e.g. `gzip;q=0.8, br` */
export function chooseCoding(header: string | undefined): Coding {
  const weights = new Map<string, number>();
  for (const item of (header ?? "").toLowerCase().split(",")) {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim());
    const q = parameters.find((parameter) => parameter.startsWith("q="));
    weights.set(name, q === undefined ? 1 : Number(q.slice(2)));
  }
  const takes = (name: string): boolean => (weights.get(name) ?? weights.get("*") ?? 0) > 0;
  return takes("br") ? "br" : takes("gzip") ? "gzip" : "identity";
}
