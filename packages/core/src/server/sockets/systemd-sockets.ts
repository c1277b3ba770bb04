import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import { formatListenAddress, type ListenAddress } from "../../config/listen-address.ts";
import { type FindInherited, HeldSocket } from "./inherited-socket.ts";
import { closeFd, isSamePath, type ListenFd, listeningPathOf } from "./listen-fds.ts";

/** A descriptor with its address, as the system reports it. */
interface OpenedFd extends ListenFd {
  readonly address: ListenAddress;
  /** Of TCP. A Unix socket is opened by its server. */
  readonly held: HeldSocket | undefined;
}

/**
 * The listening sockets of systemd, by the addresses that they are used for. Those of TCP accept connections from the opening
 * on, which wait for their server: so they are opened when everything else of a start is done.
 */
export class SystemdSockets {
  /** Why descriptors are not used, for warnings. Listening sockets among them are closed. */
  readonly unused: readonly string[];
  readonly #byAddress: Map<string, OpenedFd[]>;

  static async open(fds: readonly ListenFd[], addresses: readonly ListenAddress[]): Promise<SystemdSockets> {
    const [opened, unused]: [OpenedFd[], string[]] = [[], []];
    for (const source of fds) {
      const result = await open(source);
      if (typeof result === "string") unused.push(`${describe(source)} ${result}`);
      else opened.push(result);
    }
    const { used, rest } = await match(opened, addresses);
    for (const { fd, name, address, held } of rest) {
      unused.push(`${describe({ fd, name })} listens on ${formatListenAddress(address)}, which is not configured`);
      if (held === undefined) closeFd(fd);
      else held.close();
    }
    return new SystemdSockets(used, unused);
  }

  private constructor(byAddress: Map<string, OpenedFd[]>, unused: readonly string[]) {
    this.#byAddress = byAddress;
    this.unused = unused;
  }

  /** Returns the socket of an address, once. */
  readonly take: FindInherited = (address) => {
    const opened = this.#byAddress.get(formatListenAddress(address))?.shift();
    return opened && (opened.held ?? { fd: opened.fd });
  };
}

/** Returns what a descriptor that cannot be used is. */
async function open(source: ListenFd): Promise<OpenedFd | string> {
  const socketPath = listeningPathOf(source.fd);
  if (socketPath !== undefined) return { ...source, address: { socketPath }, held: undefined };
  try {
    const held = await HeldSocket.open({ fd: source.fd });
    const address = held.address;
    if (address !== undefined) return { ...source, address, held };
    held.close();
    return "has an address that cannot be determined";
  } catch {
    // Node may have closed the descriptor, and another file may have its number by now: it is not closed here.
    return "is no listening socket";
  }
}

/** Finds a descriptor for each address: the same address first, then one that accepts its connections among others. */
async function match(opened: readonly OpenedFd[], addresses: readonly ListenAddress[]) {
  const rest = new Set(opened);
  const used = new Map<string, OpenedFd[]>();
  const missing = new Set(addresses);
  const hosts = new Map(
    await Promise.all(addresses.map(async (address) => [address, await hostsOf(address)] as const)),
  );
  for (const covers of [isSame, includes]) {
    for (const address of missing) {
      const found = [...rest].find((each) => covers(each.address, address, hosts.get(address) ?? []));
      if (found === undefined) continue;
      rest.delete(found);
      missing.delete(address);
      const key = formatListenAddress(address);
      used.set(key, [...(used.get(key) ?? []), found]);
    }
  }
  return { used, rest };
}

function isSame(opened: ListenAddress, wanted: ListenAddress, hosts: readonly string[]): boolean {
  if ("socketPath" in opened) return "socketPath" in wanted && isSamePath(opened.socketPath, wanted.socketPath);
  return "port" in wanted && opened.port === wanted.port && hosts.includes(opened.host ?? "");
}

/** A socket on `[::]` accepts IPv4 connections too, unless it is set to IPv6 only. Without IPv6, ":port" is on 0.0.0.0. */
function includes(opened: ListenAddress, wanted: ListenAddress): boolean {
  if (!("port" in opened) || !("port" in wanted) || opened.port !== wanted.port) return false;
  return (
    (opened.host === "::" && wanted.host === "0.0.0.0") || (opened.host === "0.0.0.0" && wanted.host === undefined)
  );
}

/** The addresses of a host as Node writes them. */
async function hostsOf(wanted: ListenAddress): Promise<readonly string[]> {
  if ("socketPath" in wanted) return [];
  if (wanted.host === undefined) return ["::"];
  if (isIPv6(wanted.host)) return [new URL(`http://[${wanted.host}]`).hostname.slice(1, -1)];
  return (await lookup(wanted.host, { all: true }).catch(() => [])).map(({ address }) => address);
}

function describe({ fd, name }: ListenFd): string {
  return `descriptor ${fd} of systemd (${name})`;
}
