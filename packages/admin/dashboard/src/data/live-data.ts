/**
 * Everything the page shows, kept up to date: the overview once a second, failed requests every few seconds, events as they
 * happen. Reconnects by itself, with growing pauses. Listeners are called after each change.
 */

import type { FailedRequest, Failures, History, Overview, SessionInfo } from "@evenkeel/admin";
import { ApiError, request } from "./api.ts";
import { EventFeed } from "./event-feed.ts";
import { RateHistory } from "./rate-history.ts";

/** `connecting` until the first overview. `offline`: the last request failed. */
export type Phase = "connecting" | "live" | "offline" | "sign-in";

const pollMs = 1_000;
/** While the page is in the background it only keeps its title and its icon up to date. */
const hiddenPollMs = 5_000;
const failuresPollMs = 3_000;
const maxPauseMs = 10_000;
/** Older data is marked as stale. */
const staleMs = 3_500;

export class LiveData {
  phase: Phase = "connecting";
  session: SessionInfo | undefined;
  /** The server has ended the session of this page. */
  hasSessionEnded = false;
  overview: Overview | undefined;
  failures: readonly FailedRequest[] = [];
  /** Why the last request failed. */
  trouble = "";
  readonly rates = new RateHistory();
  readonly events = new EventFeed();
  readonly #onChange: () => void;
  /** When the last overview was received, on the clock of `performance.now()`. */
  #receivedAt = 0;
  #failed = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failuresAt = Number.NEGATIVE_INFINITY;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  start(): void {
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) void this.refresh();
    });
    // Ages go on while no data arrives.
    setInterval(() => {
      if (this.dataAge > 1_500) this.#onChange();
    }, 1_000);
    void this.refresh();
  }

  /** The time of the server in milliseconds since 1970, by its last response. The clock of the browser may be wrong. */
  get now(): number {
    return this.overview === undefined ? Date.now() : this.overview.time + this.dataAge;
  }

  /** Milliseconds since the last overview was received. */
  get dataAge(): number {
    return this.overview === undefined ? 0 : performance.now() - this.#receivedAt;
  }

  get isStale(): boolean {
    const limit = document.hidden ? hiddenPollMs + staleMs : staleMs;
    return this.overview !== undefined && this.dataAge > limit;
  }

  get canChange(): boolean {
    return this.overview?.role === "operator";
  }

  /** Requests the overview now, and schedules the next request. */
  async refresh(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const started = performance.now();
    try {
      await this.#load();
      this.#failed = 0;
    } catch (error) {
      this.#onFailure(error);
    }
    this.#onChange();
    if (this.phase === "sign-in") return;
    const interval = document.hidden ? hiddenPollMs : pollMs;
    const pause = this.#failed === 0 ? interval - (performance.now() - started) : pauseAfter(this.#failed);
    // A refresh that was started meanwhile has scheduled its own.
    this.#timer ??= setTimeout(() => void this.refresh(), Math.max(pause, 100));
  }

  async signIn(token: string): Promise<void> {
    await request("POST", "api/session", { token });
    this.hasSessionEnded = false;
    this.phase = "connecting";
    this.session = undefined;
    await this.refresh();
  }

  async signOut(): Promise<void> {
    await request("DELETE", "api/session");
    this.#forget();
    this.hasSessionEnded = false;
    this.phase = "sign-in";
    this.#onChange();
  }

  async #load(): Promise<void> {
    this.session ??= await request<SessionInfo>("GET", "api/session");
    if (this.session.role === null && this.session.signIn) return this.#askForToken();
    const overview = await request<Overview>("GET", "api/overview");
    const isNewProcess = this.overview?.startedAt !== overview.startedAt;
    if (isNewProcess || !this.rates.isFilled) this.rates.fill(await request<History>("GET", "api/history"));
    this.overview = overview;
    this.#receivedAt = performance.now();
    this.rates.add(overview);
    this.phase = "live";
    this.events.open();
    await this.#loadFailures();
  }

  async #loadFailures(): Promise<void> {
    if (document.hidden || performance.now() - this.#failuresAt < failuresPollMs) return;
    this.#failuresAt = performance.now();
    this.failures = (await request<Failures>("GET", "api/failures")).failures;
  }

  #onFailure(error: unknown): void {
    this.#failed++;
    this.trouble = describe(error);
    const needsToken = error instanceof ApiError && error.status === 401;
    if (needsToken) this.#askForToken();
    else if (this.phase !== "sign-in") this.phase = "offline";
  }

  #askForToken(): void {
    this.hasSessionEnded ||= this.overview !== undefined;
    this.#forget();
    this.phase = "sign-in";
  }

  /** Nothing that was read with a session remains on the page after its end. */
  #forget(): void {
    clearTimeout(this.#timer);
    this.session = undefined;
    this.overview = undefined;
    this.failures = [];
    this.events.clear();
    this.rates.clear();
  }
}

function pauseAfter(failures: number): number {
  return Math.min(pollMs * 2 ** (failures - 1), maxPauseMs) * (0.8 + Math.random() * 0.4);
}

function describe(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof DOMException && error.name === "TimeoutError") return "no response within 10 seconds";
  return "the server cannot be reached";
}
