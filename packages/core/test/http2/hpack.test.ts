import { describe, expect, test } from "vitest";
import { HpackDecoder } from "../../src/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../src/http2/hpack/encoder.ts";
import { huffmanLength, readHuffman, writeHuffman } from "../../src/http2/hpack/huffman.ts";
import { integerEnd, readInteger, writeInteger } from "../../src/http2/hpack/integer.ts";
import { errorCode, Http2Error } from "../../src/http2/protocol.ts";
import { seededRandom } from "../support/seeded-random.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s+/g, ""), "hex");
const roomy = { bytes: 1_000_000, fields: 100_000 };
const decoder = (limits = roomy) => new HpackDecoder(limits);
const compressionError = expect.objectContaining({ code: errorCode.compressionError, streamId: 0 });

describe("the examples of RFC 7541 appendix C", () => {
  const request1 = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"];
  const request2 = [...request1, "cache-control", "no-cache"];
  const request3 = [":method", "GET", ":scheme", "https", ":path", "/index.html", ":authority", "www.example.com"];
  const requests = [request1, request2, [...request3, "custom-key", "custom-value"]];
  const common = ["date", "Mon, 21 Oct 2013 20:13:21 GMT", "location", "https://www.example.com"];

  test.each([
    [
      "C.2.1 literal with indexing",
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      ["custom-key", "custom-header"],
    ],
    ["C.2.2 literal without indexing", "040c 2f73 616d 706c 652f 7061 7468", [":path", "/sample/path"]],
    ["C.2.3 literal never indexed", "1008 7061 7373 776f 7264 0673 6563 7265 74", ["password", "secret"]],
    ["C.2.4 indexed", "82", [":method", "GET"]],
  ])("%s", (_, bytes, fields) => {
    expect(decoder().decode(hex(bytes))).toEqual({ fields, tooLarge: false });
  });

  test.each([
    [
      "C.3 requests without Huffman coding",
      ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865"],
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
    [
      "C.4 requests with Huffman coding",
      ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf"],
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
  ])("%s", (_, first, third) => {
    const one = decoder();
    expect([...first, third].map((bytes) => one.decode(hex(bytes)).fields)).toEqual(requests);
  });

  test("C.5 responses with eviction, in a table of 256 bytes", () => {
    const one = decoder();
    // The size that the example begins with, as an update.
    one.decode(hex("3fe101"));
    const blocks = [
      "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "4803 3330 37c1 c0bf",
      "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ];
    expect(blocks.map((bytes) => one.decode(hex(bytes)).fields)).toEqual([
      [":status", "302", "cache-control", "private", ...common],
      [":status", "307", "cache-control", "private", ...common],
      [
        ...[":status", "200", "cache-control", "private", "date", "Mon, 21 Oct 2013 20:13:22 GMT"],
        ...["location", "https://www.example.com", "content-encoding", "gzip"],
        ...["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
      ],
    ]);
  });

  test("C.6 responses with Huffman coding and eviction", () => {
    const one = decoder();
    one.decode(hex("3fe101"));
    const blocks = [
      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
      "4883 640e ffc1 c0bf",
      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    const fields = blocks.map((bytes) => one.decode(hex(bytes)).fields);
    expect(fields[0]).toEqual([":status", "302", "cache-control", "private", ...common]);
    expect(fields[1]).toEqual([":status", "307", "cache-control", "private", ...common]);
    expect(fields[2]?.slice(-2)).toEqual(["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"]);
  });

  test.each([
    [10, 5, "0a"],
    [1337, 5, "1f9a0a"],
    [42, 8, "2a"],
  ])("C.1 the integer %i with a prefix of %i bits", (value, bits, bytes) => {
    const buffer = Buffer.alloc(8);
    expect(buffer.toString("hex", 0, writeInteger(buffer, 0, 0, bits, value))).toBe(bytes);
    expect(readInteger(hex(bytes), 0, bytes.length / 2, bits)).toBe(value);
    expect(integerEnd).toBe(bytes.length / 2);
  });
});

describe("a malformed block ends the connection", () => {
  test.each([
    ["the index 0", "80"],
    ["an index behind the tables", "be"],
    ["a name's index behind the tables", "7f00 0161"],
    ["a string longer than the block", "4005 61"],
    ["a literal without its value", "4001 61"],
    ["an integer that ends early", "ff"],
    ["an integer of many bytes of nothing", "ff80 8080 8080 8080 00"],
    ["an integer beyond 2^32", "ffff ffff ffff 7f"],
    ["an integer beyond what a double holds", `ff${"ff".repeat(20)}7f`],
    ["a table larger than announced", "3fe2 1f"],
    ["a change of the table's size behind a field", "8220"],
    ["a Huffman code that is padded with zeros", "0001 6181 18"],
    ["a Huffman code that is padded with a whole byte", "0001 6182 1fff"],
    ["a Huffman code with the end of a string in it", "0001 6184 ffff ffff"],
  ])("%s", (_, bytes) => {
    expect(() => decoder().decode(hex(bytes))).toThrow(compressionError);
  });
});

describe("a block that is too large", () => {
  const large = Buffer.concat([hex("400161 7f8119"), Buffer.alloc(0x7f + 0x19 * 128 - 0x7f, "x")]);

  test("is decoded to its end, so that the next one can be decoded", () => {
    const one = decoder({ bytes: 100, fields: 10 });
    const field = (name: string, value: string) =>
      Buffer.concat([
        Buffer.from([0x40, name.length]),
        Buffer.from(name),
        Buffer.from([value.length]),
        Buffer.from(value),
      ]);
    expect(one.decode(Buffer.concat([field("a", "x".repeat(99)), field("b", "kept")])).tooLarge).toBe(true);
    expect(one.decode(hex("be"))).toEqual({ fields: ["b", "kept"], tooLarge: false });
  });

  test("by the number of its fields is as well", () => {
    const one = decoder({ bytes: 1_000, fields: 3 });
    expect(one.decode(hex("828282")).tooLarge).toBe(false);
    expect(one.decode(hex("82828282"))).toEqual({
      fields: [":method", "GET", ":method", "GET", ":method", "GET"],
      tooLarge: true,
    });
  });

  test("by references to one large entry costs no memory (a bomb)", () => {
    const one = decoder({ bytes: 16_384, fields: 200 });
    expect(large.length).toBeGreaterThan(3_000);
    const bomb = Buffer.concat([
      hex("4001 61 7f a1 1e"),
      Buffer.alloc(0x7f + 0x21 + 0x1e * 128, "x"),
      Buffer.alloc(60_000, 0xbe),
    ]);
    const before = process.memoryUsage().heapUsed;
    const { fields, tooLarge } = one.decode(bomb);
    expect(tooLarge).toBe(true);
    expect(fields.length).toBeLessThan(20);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(8_000_000);
  });

  test("an entry larger than the table empties it (RFC 7541 section 4.4)", () => {
    const one = decoder();
    one.decode(hex("4001 6101 62"));
    expect(one.decode(hex("be")).fields).toEqual(["a", "b"]);
    one.decode(Buffer.concat([hex("4001 637f 8120"), Buffer.alloc(0x7f + 0x81 - 0x80 + 0x20 * 128, "x")]));
    expect(() => one.decode(hex("be"))).toThrow(compressionError);
  });
});

describe("the encoder", () => {
  function encode(encoder: HpackEncoder, fields: readonly string[]): Buffer {
    encoder.begin();
    for (let index = 0; index < fields.length; index += 2)
      encoder.add(fields[index] as string, fields[index + 1] as string);
    return Buffer.from(encoder.end());
  }

  test("uses the static table, and its own for fields that repeat", () => {
    const encoder = new HpackEncoder();
    const fields = [":method", "GET", ":path", "/", ":authority", "example.com", "accept", "*/*"];
    const first = encode(encoder, fields);
    const second = encode(encoder, fields);
    expect(second.length).toBe(4);
    const one = decoder();
    expect([one.decode(first).fields, one.decode(second).fields]).toEqual([fields, fields]);
  });

  test("never adds fields to a table that may be secret", () => {
    for (const name of ["authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key"]) {
      const encoder = new HpackEncoder();
      const block = encode(encoder, [name, "secret"]);
      expect((block[0] as number) & 0xc0).toBe(0);
      // Never indexed, for every hop, where the name says so.
      if (name !== "x-api-key") expect((block[0] as number) & 0xf0).toBe(0x10);
      expect(encode(encoder, [name, "secret"])).toEqual(block);
    }
  });

  test("announces a table that its peer has shrunk, and evicts its entries", () => {
    const encoder = new HpackEncoder();
    const one = decoder();
    const fields = ["accept", "text/html"];
    one.decode(encode(encoder, fields));
    encoder.resize(0);
    encoder.resize(200);
    const block = encode(encoder, fields);
    // Both the smallest and the last size (RFC 7541 section 4.2).
    expect(block.subarray(0, 4).toString("hex")).toBe("203fa901");
    expect(one.decode(block).fields).toEqual(fields);
    encoder.resize(0);
    expect(one.decode(encode(encoder, fields)).fields).toEqual(fields);
    expect(one.decode(encode(encoder, fields)).fields).toEqual(fields);
    encoder.resize(1_000_000);
    expect(one.decode(encode(encoder, fields)).fields).toEqual(fields);
  });

  test("is decoded over thousands of blocks, whatever their fields", () => {
    const random = seededRandom(7);
    const below = (limit: number) => Math.floor(random() * limit);
    const encoder = new HpackEncoder();
    const one = decoder();
    const names = [":authority", "accept", "via", "user-agent", "cookie", "x-any", "__proto__", "constructor", "te"];
    for (let round = 0; round < 3_000; round++) {
      if (round % 500 === 499) encoder.resize(below(6_000));
      const fields: string[] = [];
      for (let count = below(12); count > 0; count--) {
        const value = Array.from({ length: below(60) }, () => String.fromCharCode(below(256))).join("");
        fields.push(names[below(names.length)] as string, random() < 0.6 ? `value ${below(5)}` : value);
      }
      expect(one.decode(encode(encoder, fields)).fields).toEqual(fields);
    }
  });
});

describe("Huffman codes", () => {
  test("of every byte, alone and together, are read as they were written", () => {
    const all = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
    for (const text of [...all, all.join(""), all.toReversed().join("")]) {
      const bytes = Buffer.alloc(huffmanLength(text));
      expect(writeHuffman(bytes, 0, text)).toBe(bytes.length);
      expect(readHuffman(bytes, 0, bytes.length)).toBe(text);
    }
  });

  test("of random bytes are read or refused, never anything else", () => {
    const random = seededRandom(11);
    let read = 0;
    for (let round = 0; round < 5_000; round++) {
      const bytes = Buffer.from(Array.from({ length: Math.floor(random() * 12) }, () => Math.floor(random() * 256)));
      try {
        const text = readHuffman(bytes, 0, bytes.length);
        const again = Buffer.alloc(huffmanLength(text));
        writeHuffman(again, 0, text);
        expect(again).toEqual(bytes);
        read++;
      } catch (error) {
        expect(error).toBeInstanceOf(Http2Error);
      }
    }
    expect(read).toBeGreaterThan(100);
  });
});
