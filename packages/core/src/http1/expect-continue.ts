/** What a client may expect (RFC 9110 section 10.1.1), matched as Node matches it. */
export const continueExpectation: RegExp = /(?:^|\W)100-continue(?:$|\W)/i;
