// Every browser that runs the bundle has URL. The client hands over absolute origins only.
export function parse(text) {
  const { hostname, protocol, port } = new URL(text);
  return { host: hostname.replace(/^\[|\]$/g, ""), protocol: protocol.slice(0, -1), port, query: "" };
}
