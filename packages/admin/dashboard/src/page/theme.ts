/** Light, dark or that of the system. The choice is kept in this browser; apply-theme.ts applies it before the first paint. */

export type Theme = "auto" | "light" | "dark";

const order: readonly Theme[] = ["auto", "light", "dark"];

export function currentTheme(): Theme {
  const theme = document.documentElement.dataset["theme"];
  return theme === "light" || theme === "dark" ? theme : "auto";
}

export function nextTheme(): void {
  const theme = order[(order.indexOf(currentTheme()) + 1) % order.length] ?? "auto";
  document.documentElement.dataset["theme"] = theme;
  try {
    localStorage.setItem("evenkeel-theme", theme);
  } catch {
    // Storage is blocked: the choice lasts as long as the page.
  }
}
