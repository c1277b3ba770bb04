/**
 * The times of log lines. The requests of one second share the text of that second, since formatting a `Date` costs more than
 * the rest of a line.
 */

/** The last millisecond of the year 9999. Later years have six digits and a sign. */
const lastFourDigitYear = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

const millisecondTexts = Array.from({ length: 1_000 }, (_, ms) => `${String(ms).padStart(3, "0")}Z`);

const isoSecond = oncePerSecond((time) => new Date(time).toISOString().slice(0, -"000Z".length));
const ncsaSecond = oncePerSecond((time) => {
  const [, day, month, year, clock] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(time).toUTCString()) ?? [];
  return `${day}/${month}/${year}:${clock} +0000`;
});

/** As in `2024-02-29T23:59:59.007Z`. */
export function toIsoTime(time: number): string {
  if (!(time >= 0 && time <= lastFourDigitYear)) return new Date(time).toISOString();
  return isoSecond(time) + millisecondTexts[Math.trunc(time % 1_000)];
}

/** As in `29/Feb/2024:23:59:59 +0000`. */
export function toNcsaTime(time: number): string {
  return ncsaSecond(time);
}

function oncePerSecond(format: (time: number) => string): (time: number) => string {
  let second = Number.NaN;
  let text = "";
  return (time) => {
    const asked = Math.floor(time / 1_000);
    if (asked !== second) {
      text = format(time);
      second = asked;
    }
    return text;
  };
}
