import { element } from "./element.js";

const ROOMS = ["lobby", "kitchen", "garden"];

/** The rooms that one may go to. */
export class RoomList {
  readonly root: HTMLElement;
  readonly #list = element("ul");
  readonly #rooms = new Set(ROOMS);

  constructor() {
    const input = element("input", { name: "room", autocomplete: "off", placeholder: "another-room", "aria-label": "Another room" });
    const form = element("form", {}, input);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const room = input.value
        .trim()
        .toLowerCase()
        .replace(/[^a-z0-9-]+/g, "-")
        .slice(0, 30);
      if (room !== "") location.assign(`#/${room}`);
      input.value = "";
    });
    this.root = element("nav", { class: "rooms", "aria-label": "Rooms" }, element("h2", {}, "Rooms"), this.#list, form);
  }

  /** @param current the one that is open */
  show(current: string): void {
    this.#rooms.add(current);
    const links = [...this.#rooms].map((room) =>
      element("li", {}, element("a", { href: `#/${room}`, "aria-current": room === current && "page" }, `# ${room}`)),
    );
    this.#list.replaceChildren(...links);
  }
}
