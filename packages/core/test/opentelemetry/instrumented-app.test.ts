import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

interface PrintedSpan {
  readonly text: string;
  readonly id: string;
  readonly parent?: string;
}

function drawTrees(spans: readonly PrintedSpan[], parent?: string, indent = ""): string[] {
  return spans
    .filter((span) => span.parent === parent)
    .flatMap((span) => [indent + span.text, ...drawTrees(spans, span.id, `${indent}  `)]);
}

test("beside the instrumentation of node:http, with an SDK that is set up first, each hop has one span", async () => {
  const program = path.join(import.meta.dirname, "instrumented-app.js");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program]);
  expect(stderr).toBe("");
  const trees = drawTrees(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as PrintedSpan),
  ).join("\n");
  expect(trees).toBe(
    [
      // A probe is no request of a trace.
      "http SERVER GET /health",
      "http CLIENT GET /plain",
      "  http SERVER GET /plain",
      "    evenkeel CLIENT GET /plain",
      "      http SERVER GET /plain",
      "http CLIENT GET /api/express",
      "  http SERVER GET /api/express",
      "    evenkeel CLIENT GET /express",
      "      http SERVER GET /express",
      // With `tracing: false`, the proxy passes on what the client has sent.
      "http CLIENT GET /untraced",
      "  http SERVER GET /untraced",
      "  http SERVER GET /untraced",
      // Node's upgrades are not instrumented.
      "http CLIENT GET /plain/chat",
      "  evenkeel SERVER GET /* /plain/chat",
      "    evenkeel CLIENT GET /plain/chat",
    ].join("\n"),
  );
});
