import { createClient, type Client } from "@bellwire/client";
import { backend, Refused, type Person } from "./backend.js";
import { byId, element } from "./element.js";
import { Names } from "./names.js";
import { openRoom, type OpenRoom } from "./room.js";
import { RoomList } from "./room-list.js";
import { showSignIn } from "./sign-in.js";

const PING_EVERY = 10_000;
const view = byId("view");

function fail(error: unknown): void {
  byId("notice").textContent = error instanceof Error ? error.message : String(error);
  byId("notice").hidden = false;
}

/** Opens the connection for somebody who is signed in, and one room at a time. */
function start(me: Person): void {
  // The relay is where the page comes from, and so the browser shows it the same cookie: no tokens.
  const client = createClient({ url: location.origin, site: "chat", lazy: false, onError: (error) => console.warn(error.message) });
  const names = new Names((id) => {
    open?.draw();
    if (id === me.id) byId<HTMLInputElement>("name").value = names.of(id);
  });
  let open: OpenRoom | undefined;
  names.set(me.id, me.name);
  showState(client);
  showPing(client);
  offerRename(client);
  byId("sign-out").hidden = false;
  byId("sign-out").addEventListener("click", () => {
    client.close();
    backend.signOut().then(() => location.reload(), fail);
  });
  client.subscribe("people", (message) => {
    if (message.resync) return open?.reload();
    const { id, name } = message.data;
    if (typeof id === "string" && typeof name === "string") names.set(id, name);
  });

  const rooms = new RoomList();
  const place = element("div", { class: "place" });
  view.replaceChildren(rooms.root, place);
  const route = (): void => {
    const [, room = "lobby"] = /^#\/([a-z0-9-]{1,30})$/.exec(location.hash) ?? [];
    open?.close();
    open = openRoom(room, { client, me: me.id, names, fail });
    byId("notice").hidden = true;
    place.replaceChildren(open.element);
    rooms.show(room);
    byId("text").focus();
  };
  addEventListener("hashchange", route);
  route();
}

/** Shows the connection's state. Signed out in another tab, the page goes back to its door. */
function showState(client: Client): void {
  const badge = byId("state");
  const show = (state: string): void => {
    badge.textContent = state;
    badge.dataset.state = state;
    badge.hidden = false;
    if (state === "failed")
      void backend.me().then(
        () => fail(client.error),
        () => location.reload(),
      );
  };
  client.onState(show);
  show(client.state);
}

/** Shows how long a call of the backend takes. */
function showPing(client: Client): void {
  const measure = async (): Promise<void> => {
    if (client.state !== "connected") return;
    const begin = performance.now();
    try {
      await client.rpc("ping");
      byId("ping").textContent = `${Math.max(1, Math.round(performance.now() - begin))} ms`;
    } catch {
      byId("ping").textContent = "";
    }
  };
  client.onState((state) => {
    if (state === "connected") void measure();
    else byId("ping").textContent = "";
  });
  setInterval(() => void measure(), PING_EVERY);
}

function offerRename(client: Client): void {
  const form = byId("rename");
  const input = byId<HTMLInputElement>("name");
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    byId("notice").hidden = true;
    // The new name itself comes to everybody, this page too, as a message of the topic `people`.
    client.rpc("rename", { name: input.value }).then(() => input.blur(), fail);
  });
}

backend.me().then(start, (error: unknown) => {
  if (error instanceof Refused && error.status === 401) showSignIn(view);
  else fail(error);
});
