import { createSocket, type Socket as Datagrams } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import dnsPacket, { type Answer, type DecodedPacket, type Packet } from "dns-packet";
import { onTestFinished } from "vitest";

const codes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 };

export interface Service {
  readonly target: string;
  readonly port: number;
  readonly priority?: number;
  readonly weight?: number;
}

/** What is known of a name: its records, an answer that has none, or "silence" for no answer at all. */
export type Zone = Record<string, NameRecords | Exclude<keyof typeof codes, "NOERROR"> | "silence">;

export interface NameRecords {
  readonly a?: readonly string[] | "SERVFAIL" | "silence";
  readonly aaaa?: readonly string[] | "SERVFAIL" | "silence";
  readonly srv?: readonly Service[];
  /** In seconds. */
  readonly ttl?: number;
}

/** A DNS server on loopback, over UDP, and over TCP for answers that do not fit into a datagram. */
export interface DnsServer {
  /** For the option `servers`. */
  readonly address: string;
  /** What it answers from now on. Whatever is not in it is NXDOMAIN. */
  zone: Zone;
  /** Every question, as in "A api.test", and how it came. */
  readonly questions: { readonly question: string; readonly over: "udp" | "tcp" }[];
  /** Called with each question. */
  onQuestion: (question: string) => void;
}

/** Gone when the test is over. */
export async function startDnsServer(zone: Zone = {}): Promise<DnsServer> {
  const { datagrams, streams, port } = await bindBoth();
  const dns: DnsServer = { address: `127.0.0.1:${port}`, zone, questions: [], onQuestion: () => {} };
  datagrams.on("message", (message, from) => {
    const query = dnsPacket.decode(message);
    const reply = replyTo(dns, query, "udp");
    if (reply === undefined) return;
    let bytes = dnsPacket.encode(reply);
    if (bytes.length > sizeLimitOf(query)) {
      bytes = dnsPacket.encode({ ...reply, answers: [], flags: (reply.flags ?? 0) | dnsPacket.TRUNCATED_RESPONSE });
    }
    datagrams.send(bytes, from.port, from.address);
  });
  streams.on("connection", (socket) => {
    let bytes = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const end = 2 + bytes.readUInt16BE(0);
        const reply = replyTo(dns, dnsPacket.streamDecode(bytes.subarray(0, end)) as DecodedPacket, "tcp");
        bytes = bytes.subarray(end);
        if (reply !== undefined) socket.write(dnsPacket.streamEncode(reply));
      }
    });
  });
  return dns;
}

function replyTo(dns: DnsServer, query: DecodedPacket, over: "udp" | "tcp"): Packet | undefined {
  const [{ name, type } = { name: "", type: "A" }] = query.questions ?? [];
  const question = `${type} ${name}`;
  dns.questions.push({ question, over });
  dns.onQuestion(question);
  const known = dns.zone[name.toLowerCase()] ?? "NXDOMAIN";
  const answers = typeof known === "string" ? known : answersOf(name, type, known);
  if (answers === "silence") return undefined;
  const code = typeof answers === "string" ? codes[answers] : codes.NOERROR;
  return {
    id: query.id ?? 0,
    type: "response",
    flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | code,
    questions: query.questions ?? [],
    answers: typeof answers === "string" ? [] : answers,
  };
}

function answersOf(name: string, type: string, { a, aaaa, srv = [], ttl = 60 }: NameRecords) {
  if (type === "SRV")
    return srv.map((data): Answer => ({ type, name, ttl, data: { priority: 0, weight: 1, ...data } }));
  if (type !== "A" && type !== "AAAA") return [];
  const addresses = (type === "A" ? a : aaaa) ?? [];
  return typeof addresses === "string" ? addresses : addresses.map((data): Answer => ({ type, name, ttl, data }));
}

/** As the asker says (EDNS), or what it has always been. */
function sizeLimitOf({ additionals = [] }: Packet): number {
  for (const record of additionals) if (record.type === "OPT") return record.udpPayloadSize;
  return 512;
}

/** One port for both, which the system may have given to somebody else for the second. */
async function bindBoth(): Promise<{ datagrams: Datagrams; streams: Server; port: number }> {
  for (;;) {
    const datagrams = createSocket("udp4");
    datagrams.bind(0, "127.0.0.1");
    await once(datagrams, "listening");
    const { port } = datagrams.address();
    const streams = createServer().listen(port, "127.0.0.1");
    try {
      await once(streams, "listening");
    } catch {
      datagrams.close();
      continue;
    }
    onTestFinished(() => {
      datagrams.close();
      streams.close();
    });
    return { datagrams, streams, port: (streams.address() as AddressInfo).port };
  }
}
