/** The same bytes, read as requests by nginx, which passes what it accepts to an upstream that records it. */

import { readFileSync, truncateSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { type RawUpstream, rawUpstream } from "../../../support/raw-upstream.ts";
import { type ServerProgram, startProgram } from "../../../support/server-programs.ts";
import type { ReadRequest } from "./generate.ts";

const logName = "info.log";

export type NginxRequest = Pick<ReadRequest, "method" | "target" | "body">;

export interface NginxVerdict {
  /** The requests that nginx has passed on to their ends, in order. */
  readonly requests: readonly NginxRequest[];
  /** What nginx logged when it refused the rest; empty if it refused nothing. */
  readonly refusal: string;
}

/** Reads one case at a time: the upstream does not know from which connection a request is. */
export class NginxReader {
  readonly #socketPath: string;
  readonly #logPath: string;
  readonly #upstream: RawUpstream;

  private constructor({ socketPath, folder }: ServerProgram, upstream: RawUpstream) {
    this.#socketPath = socketPath;
    this.#logPath = path.join(folder, logName);
    this.#upstream = upstream;
  }

  static async start(): Promise<NginxReader> {
    let upstream: Promise<RawUpstream> | undefined;
    const program = await startProgram("nginx", (folder, socketPath) => {
      const upstreamPath = path.join(folder, "upstream.sock");
      upstream = rawUpstream({
        listen: { path: upstreamPath },
        onRequest: ({ socket }) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
      });
      return configuration(socketPath, upstreamPath);
    });
    return new NginxReader(program, (await upstream) as RawUpstream);
  }

  async read(bytes: Buffer): Promise<NginxVerdict> {
    const from = this.#upstream.requests.length;
    truncateSync(this.#logPath);
    const responses = await this.#exchange(bytes);
    const requests = this.#upstream.requests
      .slice(from)
      .map(({ method, path: target, body }) => ({ method, target, body: body.toString("latin1") }));
    return { requests, refusal: /HTTP\/1\.1 [45]|<html>/.test(responses) ? this.#refusal() : "" };
  }

  #refusal(): string {
    const log = readFileSync(this.#logPath, "latin1");
    // The connection with which the start of nginx was awaited may be logged here, too.
    return /: \*\d+ (client sent .*?)(?: while |, client: )/.exec(log)?.[1] ?? "unknown";
  }

  /** Nginx closes the connection when it has processed all requests, since no more can come. */
  #exchange(bytes: Buffer): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(this.#socketPath);
      let received = "";
      socket.setEncoding("latin1");
      socket.on("data", (text: string) => {
        received += text;
      });
      // A refusal may close the connection before all bytes are read.
      socket.on("error", () => {});
      socket.on("close", () => resolve(received));
      socket.end(bytes);
    });
  }
}

/** The header fields stay with nginx: the head that it sends has only the framing that it has read, so that it is well formed. */
function configuration(socketPath: string, upstreamPath: string): string {
  return `
    user root; daemon off; pid nginx.pid; error_log ${logName} info;
    worker_processes 1; events { worker_connections 200; }
    http {
      access_log off; client_max_body_size 0; large_client_header_buffers 8 32k;
      underscores_in_headers on; ignore_invalid_headers off;
      client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
      server {
        listen unix:${socketPath};
        location / {
          proxy_pass http://unix:${upstreamPath}:; proxy_http_version 1.1; proxy_request_buffering off;
          proxy_pass_request_headers off; proxy_ignore_client_abort on;
        }
      }
    }`;
}
