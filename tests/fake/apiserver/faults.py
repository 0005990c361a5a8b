# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults that tests order.

A fault is a dictionary. These keys select its requests:

    resource  "services", "endpointslices", "endpoints", "nodes", "events", "version"; default: all
    verb      "list", "continue" (a further page), "watch", "watchlist", "post"; default: all
    skip      how many of these requests pass first (0)
    times     how many of them are then affected (1); 0: all

These keys are the effects:

    status       answers with that code (and "retryAfter" seconds)
    body         answers with that text as a complete JSON body, and with "status", if there is one
    repeat       that text follows "body" over and over, until the client hangs up
    encoding     the answer claims this content coding, and each character of "body" is a byte of it
    gzip         "body" and "repeat" are compressed
    tooLarge     answers that the requested version is too large
    delay        answers that many seconds late, by the server's clock
    silent       does not answer
    drop         closes the connection without an answer
    error        a watch gets an ERROR event with that code and ends
    end          a watch ends normally
    stall        a watch sends nothing more
    after        error, end, stall and cut happen after that many events (0)
    cut          closes the connection after that many bytes of the body, or of the event that follows "after"
    reset        drop and cut reset the connection (RST) instead of closing it (FIN)
    trickle      sends one byte at a time, each with its own write
    garbage      a watch gets that text as an event
    contentType  the answer claims this content type
    headers      the answer has so many more of them, of 90 bytes each
"""

import threading

import store

REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 406: "NotAcceptable",
           410: "Expired", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable",
           504: "Timeout"}
KEYS = {"resource", "verb", "skip", "times", "status", "body", "tooLarge", "retryAfter", "delay", "silent", "drop", "error",
        "end", "stall", "after", "cut", "reset", "trickle", "garbage", "contentType", "repeat", "gzip", "headers",
        "encoding"}


def refusal(code, retry_after=None):
    details = {"retryAfterSeconds": retry_after} if retry_after else None
    message = "too old resource version: 1 (2)" if code == 410 else "a fault on purpose (%d)" % code
    return store.Refused(code, REASONS.get(code, "Unknown"), message, details, retry_after)


class Faults:
    def __init__(self):
        self.lock = threading.Lock()
        self.faults = []
        self.hits = 0

    def add(self, fault):
        unknown = set(fault) - KEYS
        if unknown:
            raise ValueError("a fault has no %s" % ", ".join(sorted(unknown)))
        with self.lock:
            self.faults.append(dict({"skip": 0, "times": 1}, **fault))

    def clear(self):
        with self.lock:
            self.faults.clear()

    def take(self, resource, verb):
        """The first fault that applies to this request, or {}."""
        with self.lock:
            for fault in self.faults:
                if fault.get("resource", resource) != resource or fault.get("verb", verb) != verb:
                    continue
                if fault["skip"]:
                    fault["skip"] -= 1
                    continue
                if fault["times"] == 1:
                    self.faults.remove(fault)
                elif fault["times"]:
                    fault["times"] -= 1
                self.hits += 1
                return fault
        return {}
