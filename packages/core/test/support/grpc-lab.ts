/** Clients and servers of grpc-js on both sides of a proxy. Messages are bytes, so that no protobuf is needed. */

import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type ServiceError,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { onTestFinished } from "vitest";

export type UnaryCall = ServerUnaryCall<Buffer, Buffer>;
export type UploadCall = ServerReadableStream<Buffer, Buffer>;
export type DownloadCall = ServerWritableStream<Buffer, Buffer>;
export type BothCall = ServerDuplexStream<Buffer, Buffer>;
export type Done = sendUnaryData<Buffer>;

/** The methods of the service. Those that are left out are UNIMPLEMENTED. */
export interface Methods {
  readonly Unary?: (call: UnaryCall, done: Done) => void;
  readonly Upload?: (call: UploadCall, done: Done) => void;
  readonly Download?: (call: DownloadCall) => void;
  readonly Both?: (call: BothCall) => void;
}

const asIs = (bytes: Buffer): Buffer => bytes;
const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
  ...{ path, requestStream, responseStream },
  ...{ requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs },
});

const service = {
  Unary: method("/test.Echo/Unary", false, false),
  Upload: method("/test.Echo/Upload", true, false),
  Download: method("/test.Echo/Download", false, true),
  Both: method("/test.Echo/Both", true, true),
} satisfies ServiceDefinition;

const healthService = {
  Check: method("/grpc.health.v1.Health/Check", false, false),
} satisfies ServiceDefinition;

/** Responds with what it receives: one message, how many bytes, each message a hundred times, or every message. */
export const echo: Methods = {
  Unary: (call, done) => done(null, call.request),
  Upload: (call, done) => {
    let length = 0;
    call.on("data", (bytes: Buffer) => {
      length += bytes.length;
    });
    call.on("end", () => done(null, Buffer.from(String(length))));
  },
  Download: (call) => {
    for (let count = 0; count < 100; count++) call.write(Buffer.from(`${call.request} ${count}`));
    call.end();
  },
  Both: (call) => {
    call.on("data", (bytes: Buffer) => call.write(bytes));
    call.on("end", () => call.end());
  },
};

export interface GrpcServer {
  readonly port: number;
  readonly url: string;
  /** Ends every connection at once. */
  kill(): void;
  /** Ends every connection gracefully. Resolves when all calls have ended. */
  stop(): Promise<void>;
}

export interface GrpcServerOptions {
  readonly secure?: { readonly key: string; readonly cert: string };
  /** The status of its health service; without it there is none. */
  readonly health?: () => number;
  readonly port?: number;
}

/** A server with these methods. Gone when the test has ended. */
export async function grpcServer(
  methods: Methods = echo,
  { secure, health, port: wanted = 0 }: GrpcServerOptions = {},
): Promise<GrpcServer> {
  const server = new Server(unlimited);
  server.addService(service, { ...methods } as UntypedServiceImplementation);
  if (health !== undefined) {
    server.addService(healthService, {
      Check: (_call: UnaryCall, done: Done) => done(null, Buffer.from([0x08, health()])),
    });
  }
  onTestFinished(() => server.forceShutdown());
  const pairs = secure && [{ private_key: Buffer.from(secure.key), cert_chain: Buffer.from(secure.cert) }];
  const own = pairs === undefined ? ServerCredentials.createInsecure() : ServerCredentials.createSsl(null, pairs);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${wanted}`, own, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return {
    port,
    url: `${secure === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    kill: () => server.forceShutdown(),
    stop: () => new Promise((resolve) => void server.tryShutdown(() => resolve())),
  };
}

export interface CallOptions {
  readonly metadata?: Metadata;
  /** Milliseconds from now. */
  readonly deadlineMs?: number;
}

/** The result of a call: its messages, or the error of its status. */
export interface CallResult {
  readonly messages: readonly Buffer[];
  readonly code: number;
  readonly details: string;
  readonly trailers: Metadata | undefined;
}

const { Unary, Upload, Download, Both } = service;

/** A client of the service at a port, which has one connection. */
export class EchoClient {
  readonly client: Client;

  /** `ca`: the authority of the server's certificate, if it uses TLS. */
  constructor(port: number, ca?: string) {
    const channel = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca));
    this.client = new Client(`localhost:${port}`, channel, {
      ...unlimited,
      "grpc.enable_retries": 0,
      // A process shares connections to the same address: without this a test could get that of another client.
      "grpc.use_local_subchannel_pool": 1,
    });
    onTestFinished(() => this.client.close());
  }

  unary(message: Buffer | string, options: CallOptions = {}): Promise<CallResult> {
    return new Promise((resolve) => {
      let trailers: Metadata | undefined;
      const bytes = Buffer.from(message);
      const { args } = toArguments(options);
      const call = this.client.makeUnaryRequest(Unary.path, asIs, asIs, bytes, ...args, (error, reply) => {
        setImmediate(() => resolve(toResult(error, reply === undefined ? [] : [reply], trailers)));
      });
      call.on("status", ({ metadata }) => {
        trailers = metadata;
      });
    });
  }

  upload(messages: readonly Buffer[], options: CallOptions = {}): Promise<CallResult> {
    return new Promise((resolve) => {
      const call = this.client.makeClientStreamRequest(
        Upload.path,
        asIs,
        asIs,
        ...toArguments(options).args,
        (error, reply) => resolve(toResult(error, reply === undefined ? [] : [reply], undefined)),
      );
      for (const message of messages) call.write(message);
      call.end();
    });
  }

  download(message: string, options: CallOptions = {}) {
    return this.client.makeServerStreamRequest(
      Download.path,
      asIs,
      asIs,
      Buffer.from(message),
      ...toArguments(options).args,
    );
  }

  both(options: CallOptions = {}) {
    return this.client.makeBidiStreamRequest(Both.path, asIs, asIs, ...toArguments(options).args);
  }
}

/** Resolves when a streamed call has ended. */
export function collect(
  call: ReturnType<EchoClient["download"]> | ReturnType<EchoClient["both"]>,
): Promise<CallResult> {
  const messages: Buffer[] = [];
  return new Promise((resolve) => {
    call.on("data", (bytes: Buffer) => messages.push(bytes));
    call.on("error", () => {});
    call.on("status", ({ code, details, metadata }) => resolve({ messages, code, details, trailers: metadata }));
  });
}

function toArguments({ metadata, deadlineMs }: CallOptions) {
  const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
  return { args: [metadata ?? new Metadata(), options] as const };
}

function toResult(error: ServiceError | null, messages: readonly Buffer[], trailers: Metadata | undefined): CallResult {
  return { messages, code: error?.code ?? 0, details: error?.details ?? "", trailers: error?.metadata ?? trailers };
}
