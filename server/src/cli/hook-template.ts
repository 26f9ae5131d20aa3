export const HOOK_EVENTS = ["connect", "refresh", "subscribe", "publish", "rpc", "notices"] as const;
export type HookEvent = (typeof HOOK_EVENTS)[number];

/** A line such as `// @if connect refresh` or `// @end`, in any language's comment or in none. */
const MARK = /^\s*(?:\/\/|#)?\s*@(?:if ((?:[a-z]+ ?)+)|(end))$/;

/**
 * Cuts a template down to one event. Lines from `@if <events>` to `@end` stay where the event is among them, the marks go, and
 * `{{event}}` and `{{file}}` are replaced.
 */
export function renderHook(template: string, event: HookEvent, file: string): string {
  let kept = true;
  const lines = template.split("\n").filter((line) => {
    const mark = MARK.exec(line);
    if (mark === null) return kept;
    kept = mark[1] === undefined || mark[1].split(" ").includes(event);
    return false;
  });
  return lines.join("\n").replaceAll("{{event}}", event).replaceAll("{{file}}", file);
}
