/** Light or dark: as asked, or as the reader's system prefers. */

import { setAttribute } from "stage_dom";

/**
 * Keeps `data-theme` of a node at "light" or "dark" until the signal aborts.
 * @param {HTMLElement} node
 * @param {"auto"|"light"|"dark"|undefined} theme
 * @param {AbortSignal} signal
 */
export function followTheme(node, theme, signal) {
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    const own = prefersDark.matches ? "dark" : "light";
    setAttribute(node, "data-theme", theme === "light" || theme === "dark" ? theme : own);
  };
  prefersDark.addEventListener("change", set, { signal });
  set();
}
