import { createHmac } from "node:crypto";
import { ONE_SITE, type ClientPlan } from "./plan.js";

/** A connection token as a backend would mint it: with a grant for what the client wants. Checked by every peer that has a key. */
export function connectToken(appKey: string, plan: ClientPlan, user: number): string {
  const now = Math.floor(Date.now() / 1000);
  const topics = [...new Set(plan.wishes.map(({ topic }) => topic))];
  return jwt(appKey, {
    aud: "bellwire:connect",
    site: plan.site ?? ONE_SITE,
    sub: `user-${user}`,
    iat: now,
    exp: now + 600,
    grants: topics.map((topic) => ({ topic, filter: {} })),
  });
}

const HEADER = Buffer.from(JSON.stringify({ alg: "HS256", typ: "JWT" })).toString("base64url");

function jwt(key: string, payload: object): string {
  const text = `${HEADER}.${Buffer.from(JSON.stringify(payload)).toString("base64url")}`;
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
}
