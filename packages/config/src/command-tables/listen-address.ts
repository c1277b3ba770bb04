import { isLoopbackAddress, type ListenAddress } from "evenkeel";

/** Whether an address can be reached from this machine only. */
export function isLoopback(address: ListenAddress): boolean {
  if ("socketPath" in address) return true;
  const { host = "" } = address;
  return host.toLowerCase() === "localhost" || isLoopbackAddress(host);
}
