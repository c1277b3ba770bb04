/** The pool or upstream whose detail is open: the fragment of the page's address, so that it can be shared and reloaded. */

import { useEffect, useState } from "../vendor/preact.js";

export interface Selection {
  readonly pool: string;
  /** Undefined for the pool as a whole. */
  readonly upstream: string | undefined;
}

export function readSelection(): Selection | undefined {
  const [, pool, upstream] = /^#\/([^/]+)(?:\/([^/]+))?$/.exec(location.hash) ?? [];
  if (pool === undefined) return undefined;
  try {
    return {
      pool: decodeURIComponent(pool),
      upstream: upstream === undefined ? undefined : decodeURIComponent(upstream),
    };
  } catch {
    return undefined;
  }
}

export function selectionLink(pool: string, upstream?: string): string {
  const path = upstream === undefined ? "" : `/${encodeURIComponent(upstream)}`;
  return `#/${encodeURIComponent(pool)}${path}`;
}

/** Opens a detail, or closes it. Does not add to the history of the browser when it is open already. */
export function select(link: string | undefined): void {
  const url = link ?? `${location.pathname}${location.search}`;
  if (link === undefined || location.hash !== "") history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Follows the address of the page. */
export function useSelection(): Selection | undefined {
  const [selection, setSelection] = useState(readSelection);
  useEffect(() => {
    const update = () => setSelection(readSelection());
    addEventListener("hashchange", update);
    addEventListener("popstate", update);
    return () => {
      removeEventListener("hashchange", update);
      removeEventListener("popstate", update);
    };
  }, []);
  return selection;
}
