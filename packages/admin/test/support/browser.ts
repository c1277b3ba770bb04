import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { hasProgram } from "../../../core/test/support/server-programs.ts";

/** A test that needs Debian's Chromium. On CI it is required. */
export const browserTest: typeof test = test.skipIf(!hasProgram("chromium")) as typeof test;

let browser: Browser | undefined;

/** Starts one browser for all tests of a file. In it each name below `.test` is this machine, as an attacker's DNS would say. */
export function useBrowser(): void {
  beforeAll(async () => {
    const args = ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP *.test 127.0.0.1"];
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
  });
  afterAll(() => browser?.close());
}

export interface PageOptions extends BrowserContextOptions {
  /** Messages of the console that the test provokes. Any other error of a page fails its test. */
  readonly expectedErrors?: RegExp;
}

/** Opens an empty page in a browser without cookies. Violations of the page's policy and errors in it fail the test. */
export async function newPage({ expectedErrors, ...options }: PageOptions = {}): Promise<Page> {
  if (browser === undefined) throw new Error("call useBrowser() in the file");
  const context = await browser.newContext({
    viewport: { width: 1_400, height: 900 },
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(20_000);
  const errors: string[] = [];
  const record = (text: string) => {
    if (expectedErrors?.test(text) !== true) errors.push(text);
  };
  context.on("weberror", (error) => record(String(error.error().stack)));
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) record(message.text());
  });
  // Also what reports nothing to the console.
  await context.addInitScript(
    'addEventListener("securitypolicyviolation", (event) => console.error("violates " + event.violatedDirective, event.blockedURI))',
  );
  onTestFinished(async () => {
    await context.close();
    expect(errors, "errors of the page").toEqual([]);
  });
  return context.newPage();
}

export async function openPage(url: string, options?: PageOptions): Promise<Page> {
  const page = await newPage(options);
  await page.goto(url);
  return page;
}

export async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.keyboard.press("Enter");
}

/** As `expect`, for what becomes true without an event in this process. */
export function eventually<T>(value: () => T | Promise<T>, message?: string): ReturnType<typeof expect.poll<T>> {
  return expect.poll(value, { interval: 20, timeout: 20_000, ...(message !== undefined && { message }) });
}
