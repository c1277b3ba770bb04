// A classic script in the head: it runs before the first paint, so that a chosen theme does not flash.
try {
  document.documentElement.dataset["theme"] = localStorage.getItem("evenkeel-theme") ?? "auto";
} catch {
  // Storage is blocked: the theme of the system applies.
}
