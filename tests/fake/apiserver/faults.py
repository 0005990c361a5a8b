# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong, as the tests want it.

A fault is a dictionary. Which requests it is for:

    resource  "services", "endpointslices", "endpoints", "nodes", "events", "version"; all without it
    verb      "list", "continue" (a further page), "watch", "watchlist", "post"; all without it
    skip      that many requests that it would be for pass first (0)
    times     then that many are hit (1); 0: all

What happens to them:

    status       answers with that code (and "retryAfter" seconds) instead
    body         answers with that text as JSON, and that it was all
    tooLarge     answers that it does not know so new a version yet
    delay        answers that many seconds late, by the server's clock
    silent       does not answer at all
    drop         closes the connection instead of answering
    error        a watch gets an ERROR event with that code and ends
    end          a watch ends well
    stall        a watch says nothing any more
    after        error, end, stall and cut: after that many events (0)
    cut          closes the connection: after so many bytes of the body, or of the event that follows "after"
    reset        makes drop and cut a reset (RST) instead of an end (FIN)
    trickle      one byte at a time, each with its own write
    garbage      a watch gets that text as an event
    contentType  says it is that, whatever it is
"""

import threading

import store

REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 406: "NotAcceptable",
           410: "Expired", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable",
           504: "Timeout"}
KEYS = {"resource", "verb", "skip", "times", "status", "body", "tooLarge", "retryAfter", "delay", "silent", "drop", "error",
        "end", "stall", "after", "cut", "reset", "trickle", "garbage", "contentType"}


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
        """The fault of this request: the first that is for it. {} where there is none."""
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
