import { element } from "./element.js";

const MOST = 500;
/** From how many characters on the page counts along. */
const COUNT_FROM = 400;

/**
 * Where one writes. What may be said is the backend's to decide: nothing is checked here, and its words are shown.
 * @param say rejects where the backend refuses
 */
export function composer(room: string, say: (text: string) => Promise<unknown>): HTMLElement {
  const input = element("input", {
    id: "text",
    name: "text",
    autocomplete: "off",
    placeholder: `Say something in ${room}`,
    "aria-label": "Message",
  });
  const send = element("button", { type: "submit", id: "send" }, "Send");
  const message = element("p", { class: "message", role: "status", "data-testid": "refused" });
  const count = element("span", { class: "count", "aria-hidden": "true" });
  const form = element("form", { class: "composer" }, element("div", { class: "row" }, input, count, send), message);

  const show = (text: string): void => {
    message.textContent = text;
    message.classList.toggle("error", text !== "");
    input.setAttribute("aria-invalid", String(text !== ""));
  };
  const submit = async (): Promise<void> => {
    const text = input.value;
    send.disabled = true;
    show("");
    try {
      await say(text);
      // What was typed meanwhile stays.
      if (input.value === text) input.value = "";
    } catch (error) {
      show(error instanceof Error ? error.message : String(error));
    }
    send.disabled = false;
    measure();
    input.focus();
  };
  const measure = (): void => {
    const { length } = [...input.value];
    count.textContent = length < COUNT_FROM ? "" : String(MOST - length);
    count.classList.toggle("error", length > MOST);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  input.addEventListener("input", measure);
  return form;
}
