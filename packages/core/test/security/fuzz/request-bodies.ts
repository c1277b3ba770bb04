/** Bodies of requests with the line that frames them, in every good way and some bad ones. */

import fc, { type Arbitrary } from "fast-check";
import { tagPlace } from "./tag.ts";
import { mostly } from "./weighted.ts";

export interface FramedBody {
  /** Lines for the head. */
  readonly lines: readonly string[];
  readonly bytes: string;
}

const smuggled = `GET /smuggled HTTP/1.1\r\nHost: h\r\nX-Tag: ${tagPlace}9\r\n\r\n`;

const data: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "",
    "x",
    "hello",
    `${tagPlace} is the tag`,
    smuggled,
    "0\r\n\r\n",
    "\r\n",
    "\0\xff",
    "5\r\nhello\r\n0\r\n\r\n",
  ),
  fc.nat(3_000).map((length) => "z".repeat(length)),
);

const extension = mostly(
  fc.constant(""),
  fc.constantFrom(
    ...[
      ";a",
      ";a=b",
      ';a="b;c"',
      ';a="b\\"c"',
      ";a=b;c",
      ";",
      ";=",
      ";a=",
      " ;a",
      ";a\tb",
      ";\n",
      ";\xe4",
      ';a="',
      "; a=b",
      ";a=\r",
    ],
  ),
);

const size = (length: number) =>
  mostly(
    fc.constantFrom(length.toString(16), length.toString(16).toUpperCase(), `0${length.toString(16)}`),
    fc.constantFrom(
      ...[
        `0x${length.toString(16)}`,
        `+${length}`,
        `-${length}`,
        ` ${length}`,
        `${length} `,
        "",
        "G",
        "fffffffffffffffff",
      ],
      ...[
        `${length.toString(16)}\n`,
        (length + 1).toString(16),
        `${length}_0`,
        "00000000000000000",
        "7fffffffffffffff",
      ],
    ),
    1,
  );

const chunk: Arbitrary<string> = data.chain((bytes) =>
  fc
    .tuple(
      bytes === "" ? fc.constant("1") : size(bytes.length),
      extension,
      mostly(fc.constant("\r\n"), fc.constantFrom("\n", "", "x\r\n", "\r"), 1),
    )
    .map(([digits, after, end]) => `${digits}${after}\r\n${bytes === "" ? "x" : bytes}${end}`),
);

const trailers: Arbitrary<string> = mostly(
  fc.constant(""),
  fc.constantFrom(
    ...[
      "X-Y: 1\r\n",
      "Content-Length: 5\r\n",
      "Transfer-Encoding: chunked\r\n",
      "Host: evil\r\n",
      "X-Forwarded-For: 6.6.6.6\r\n",
    ],
    ...[
      "X\r\n",
      " X: 1\r\n",
      "X: 1\n",
      "X : 1\r\n",
      "Authorization: x\r\nX-Y: 2\r\n",
      "X: a\0\r\n",
      "GET /smuggled HTTP/1.1\r\n",
    ],
  ),
  2,
);

const chunked: Arbitrary<FramedBody> = fc
  .record({
    line: fc.constantFrom("Transfer-Encoding: chunked", "transfer-encoding:CHUNKED"),
    chunks: fc.array(chunk, { maxLength: 3 }),
    last: mostly(fc.constant("0"), fc.constantFrom("00", "0;a=b", "0 ", "-0", "0x0", ""), 1),
    trailers,
    end: mostly(fc.constant("\r\n"), fc.constantFrom("\n", "", "\r\r\n"), 1),
  })
  .map((body) => ({ lines: [body.line], bytes: `${body.chunks.join("")}${body.last}\r\n${body.trailers}${body.end}` }));

const counted: Arbitrary<FramedBody> = data.map((bytes) => ({ lines: [`Content-Length: ${bytes.length}`], bytes }));

const miscounted: Arbitrary<FramedBody> = fc
  .tuple(data, fc.integer({ min: -3, max: 40 }))
  .map(([bytes, more]) => ({ lines: [`Content-Length: ${bytes.length + more}`], bytes }));

/** Framed twice, or not at all. */
const doubtful: Arbitrary<FramedBody> = fc.oneof(
  data.map((bytes) => ({ lines: [], bytes })),
  fc.tuple(counted, chunked).map(([one, other]) => ({ lines: [...one.lines, ...other.lines], bytes: other.bytes })),
  fc.tuple(counted, chunked).map(([one, other]) => ({ lines: [...other.lines, ...one.lines], bytes: one.bytes })),
  fc.tuple(counted, counted).map(([one, other]) => ({ lines: [...one.lines, ...other.lines], bytes: one.bytes })),
);

const none: FramedBody = { lines: [], bytes: "" };

export const bodies: Arbitrary<FramedBody> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(none) },
  { weight: 5, arbitrary: counted },
  { weight: 5, arbitrary: chunked },
  { weight: 1, arbitrary: miscounted },
  { weight: 1, arbitrary: doubtful },
);
