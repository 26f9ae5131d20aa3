import { backend } from "./backend.js";
import { element } from "./element.js";

/** Lets somebody say what to call them. */
export function showSignIn(view: HTMLElement): void {
  const input = element("input", { id: "sign-in-name", name: "name", autocomplete: "nickname", autofocus: true, placeholder: "Ann" });
  const message = element("p", { class: "message error", role: "status", "data-testid": "message" });
  const form = element(
    "form",
    { class: "card" },
    element("h1", {}, "Who are you?"),
    element("p", {}, "A name is all it takes. Sign in as somebody else in a private window, and talk."),
    element("label", {}, "Your name", input),
    element("button", { type: "submit" }, "Come in"),
    message,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    backend.signIn(input.value).then(
      () => location.reload(),
      (error: Error) => (message.textContent = error.message),
    );
  });
  view.replaceChildren(form);
  input.focus();
}
