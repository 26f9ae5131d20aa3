import { createClient, type Client } from "@bellwire/client";
import { addLine, showAlerts } from "./activity.js";
import { backend, Refused, tabUser, userHeaders, type Contact, type Me } from "./backend.js";
import { showDetail } from "./contact-detail.js";
import { showList } from "./contact-list.js";
import { byId } from "./element.js";
import { showSignIn } from "./sign-in.js";
import type { Watching } from "./watch-contacts.js";

const view = byId("view");

function fail(error: unknown): void {
  if (error instanceof Refused && error.status === 401) return location.assign(location.pathname);
  byId("notice").textContent = `Something went wrong: ${error instanceof Error ? error.message : String(error)}`;
  byId("notice").hidden = false;
}

/** By tokens; or without, where the relay asks the backend, which looks at the browser's cookies. */
function connect({ site, relay }: Me): Client {
  if (relay === undefined) return createClient({ endpoint: "realtime", headers: userHeaders });
  return createClient({ url: relay.url, site, data: { user: tabUser() }, credentials: "include" });
}

/** Opens the connection for somebody who is signed in, and one view at a time. */
function start(me: Me): void {
  const client = connect(me);
  const badge = byId("state");
  const showState = (state: string): void => {
    badge.textContent = state;
    badge.dataset.state = state;
    badge.hidden = false;
    // Signed out in another tab: whoever asks now is told so, and sent to the door.
    if (state === "off" || state === "failed") backend.me().catch(fail);
  };
  client.onState(showState);
  showState(client.state);

  const names = new Map(me.colleagues.map(({ id, name }) => [id, name]));
  // Whoever publishes may write anything there.
  const nameOf = (user: unknown): string => (typeof user === "string" ? (names.get(user) ?? user.slice(0, 40)) : "Somebody");
  const contacts = new Map<number, Contact>();
  const watching: Watching = { client, me: me.id, contacts, nameOf, announce: (text) => addLine(byId("activity"), text), fail };

  byId("site").textContent = me.site;
  byId("who").textContent = me.admin ? `${me.name} (admin)` : me.name;
  byId("side").hidden = false;
  byId("sign-out").hidden = false;
  byId("sign-out").addEventListener("click", () => {
    client.close();
    backend.signOut().then(() => location.assign(location.pathname), fail);
  });
  if (me.admin) {
    const refetch = (): Promise<void> => showAlerts(byId("alerts"), nameOf).catch(fail);
    byId("alerts-panel").hidden = false;
    client.subscribe("Admin_Alert_Topic", refetch);
    void refetch();
  }

  let leave: (() => void) | undefined;
  const route = (): void => {
    const [, id] = /^#\/contacts\/(\d{1,9})$/.exec(location.hash) ?? [];
    byId("notice").hidden = true;
    const left = leave;
    leave = id === undefined ? showList(view, watching) : showDetail(view, Number(id), watching);
    // After the new view has subscribed: a topic that both watch stays open.
    left?.();
  };
  addEventListener("hashchange", () => {
    route();
    view.focus({ preventScroll: true });
  });
  route();
}

backend.me().then(start, (error: unknown) => {
  if (error instanceof Refused && error.status === 401) showSignIn(view, fail).catch(fail);
  else fail(error);
});
