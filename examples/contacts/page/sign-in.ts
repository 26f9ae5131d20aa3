import { backend } from "./backend.js";
import { element } from "./element.js";

/** Lets somebody choose who to be. */
export async function showSignIn(view: HTMLElement, fail: (error: unknown) => void): Promise<void> {
  const users = await backend.users();
  const sites = [...new Set(users.map(({ site }) => site))];
  const groups = sites.map((site) => {
    const buttons = users
      .filter((user) => user.site === site)
      .map(({ id, name, admin }) => {
        const button = element(
          "button",
          { type: "button", class: "quiet", "data-testid": `sign-in-${id}` },
          admin ? `${name} (admin)` : name,
        );
        button.addEventListener("click", () => {
          backend.signIn(id).then(() => location.assign(`?user=${encodeURIComponent(id)}`), fail);
        });
        return button;
      });
    return element("section", { class: "people" }, element("h2", {}, site), element("div", { class: "row" }, ...buttons));
  });
  const hint = "Choose different people in two tabs, and edit a contact in one of them. People of another site see nothing of it.";
  view.replaceChildren(element("h1", {}, "Who are you?"), element("p", {}, hint), ...groups);
}
