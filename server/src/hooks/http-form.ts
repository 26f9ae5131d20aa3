import { asObject, BellwireError, type JsonObject } from "@bellwire/protocol";
import type { Agent } from "undici";
import { Backend, type Answer, type OutgoingRequest } from "./backend.js";
import type { RpcQuestion, RpcReply } from "./hooks.js";
import { isShallow } from "./replies.js";
import { isAllowed, parseRpcPath, type RpcPath } from "./rpc-path.js";
import type { HttpFormSettings } from "./settings.js";
import { questionId, type Signer } from "./signing.js";

const MAX_QUERY = 8192;
// They belong to the connection, to the body that we write, or to what we vouch for.
const OWN_HEADERS =
  /^(host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|content-.*|accept|accept-encoding|sec-.*|bellwire-.*|webhook-.*|x-http-method.*|x-method-override)$/;

/** Calls of an application's own addresses: the method `post:news/store` becomes `POST <base>news/store`. */
export class HttpForm {
  readonly backend: Backend;
  readonly #settings: HttpFormSettings;
  readonly #signer: Signer;

  constructor(agent: Agent, settings: HttpFormSettings, signer: Signer) {
    // Repeated, a call might do twice what it does.
    this.backend = new Backend(agent, { ...settings, retries: 0 });
    this.#settings = settings;
    this.#signer = signer;
  }

  /** The call that a method names, where it is one that is allowed here. */
  find(method: string): RpcPath | undefined {
    const path = parseRpcPath(method);
    return path !== undefined && isAllowed(path, this.#settings.allow) ? path : undefined;
  }

  /**
   * Makes the call. Whatever its status, the application's answer is the reply.
   * @throws Unanswered; BellwireError `bad-request` or `too-large` for data that can't be sent so
   */
  async call(path: RpcPath, question: RpcQuestion, end: number): Promise<RpcReply> {
    const id = questionId();
    const made = makeRequest(path, question, this.#settings.http);
    const answer = await this.backend.ask(() => this.#signed(id, made, question), end);
    return { status: answer.status, data: dataOf(answer) };
  }

  #signed(id: string, request: OutgoingRequest, question: RpcQuestion): OutgoingRequest {
    const identity = {
      "bellwire-site": question.site,
      // Headers hold no line ends and little beyond ASCII, which ids may.
      "bellwire-user": encodeURIComponent(question.user),
      "bellwire-session": encodeURIComponent(question.session),
    };
    const { method, url, body = "" } = request;
    const content = [`${method} ${url.pathname}${url.search}`, ...Object.values(identity), body].join("\n");
    return { ...request, headers: { ...request.headers, ...identity, ...this.#signer.sign(id, content) } };
  }
}

function makeRequest({ verb, path }: RpcPath, { data, headers }: RpcQuestion, base: string): OutgoingRequest {
  const url = new URL(base + path);
  const passed = Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN_HEADERS.test(name)));
  if (verb === "GET" || verb === "HEAD") {
    url.search = queryOf(withoutOverrides(data));
    return { method: verb, url, headers: { ...passed, accept: "application/json" } };
  }
  const body = jsonOf(withoutOverrides(data));
  return { method: verb, url, headers: { ...passed, accept: "application/json", "content-type": "application/json" }, body };
}

/**
 * Frameworks take these names in a form or query for another method than the request's (Laravel, Symfony, Rails, Rack, Express's
 * method-override, ASP.NET): what was allowed as a GET or POST would be done as a DELETE. A browser's data has no say in that.
 */
const OVERRIDES = new Set([
  "_method",
  "_http_method",
  "httpmethod",
  "http_method",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
]);

function withoutOverrides(data: unknown): unknown {
  const source = asObject(data);
  if (source === undefined) return data;
  const names = Object.keys(source);
  if (!names.some(isOverride)) return data;
  return Object.fromEntries(Object.entries(source).filter(([name]) => !isOverride(name)));
}

/** PHP reads dots, spaces and an opening bracket in a name as an underscore. */
function isOverride(name: string): boolean {
  const [plain = ""] = name
    .trim()
    .toLowerCase()
    .replace(/^[. [\0]/, "_")
    .split(/[[\0]/, 1);
  return OVERRIDES.has(plain.replace(/[. ]/g, "_")) || OVERRIDES.has(plain);
}

function queryOf(data: unknown): string {
  if (data === undefined || data === null) return "";
  const isObject = typeof data === "object" && (!Array.isArray(data) || data.length === 0);
  const entries = isObject ? Object.entries(data as JsonObject).filter(([, value]) => value !== null) : undefined;
  if (entries === undefined || entries.some(([, value]) => !["string", "number", "boolean"].includes(typeof value))) {
    throw new BellwireError("bad-request", "The data of a GET or HEAD is a flat object: it becomes the query");
  }
  const query = new URLSearchParams(entries.map(([name, value]): [string, string] => [name, String(value)])).toString();
  if (query.length > MAX_QUERY) throw new BellwireError("too-large", `A query has at most ${MAX_QUERY} characters`);
  return query;
}

/** @throws BellwireError `bad-request` */
export function jsonOf(data: unknown): string {
  try {
    return JSON.stringify(data) ?? "{}";
  } catch (error) {
    throw new BellwireError("bad-request", "The data can't be written as JSON", { cause: error });
  }
}

/** JSON as a value, anything else as text (so is JSON that nobody could write again), nothing as null. */
function dataOf({ header, text }: Answer): unknown {
  if (text === "") return null;
  if (!/^[\w.+-]+\/([\w.+-]+\+)?json\b/i.test(header("content-type") ?? "")) return text;
  try {
    const data = JSON.parse(text) as unknown;
    return isShallow(data) ? data : text;
  } catch {
    return text;
  }
}
