#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the encoder of the fake API server with bodies of a real one and their JSON twins. Prints TAP."""

import json
import os
import struct
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "apiserver"))

import protobuf  # noqa: E402

DATA = os.path.join(HERE, "data")


def read(name):
    with open(os.path.join(DATA, name), "rb") as f:
        return f.read()


def encode_list(text):
    obj = json.loads(text)
    items = [protobuf.encode(obj["kind"].removesuffix("List"), item) for item in obj["items"]]
    return protobuf.envelope(obj["apiVersion"], obj["kind"], protobuf.list_message(obj["metadata"], items))


def encode_event(event_type, obj):
    body = protobuf.envelope(obj["apiVersion"], obj["kind"], protobuf.encode(obj["kind"], obj))
    return protobuf.watch_frame(event_type, body)


def frames(stream):
    while stream:
        length = 4 + struct.unpack(">I", stream[:4])[0]
        yield stream[:length]
        stream = stream[length:]


def check_list(name):
    """The twin was taken a moment later: the same objects, but the version of the list is a later one."""
    twin = read("protobuf/%s-list.twin.json" % name).replace(LATER, EARLIER, 1)
    return encode_list(twin) == read("protobuf/%s-list.pb" % name)


def check_watchlist(name):
    """The same objects as in the list, as events, and a bookmark."""
    twin = json.loads(read("protobuf/%s-list.twin.json" % name))
    kind = {"kind": twin["kind"].removesuffix("List"), "apiVersion": twin["apiVersion"]}
    wanted = {encode_event("ADDED", dict(kind, **item)) for item in twin["items"]}
    *added, _ = frames(read("protobuf/%s-watchlist.pbstream" % name))
    return len(added) > 10 and wanted == set(added)


def check_bookmark(name, rv, annotations):
    kind = {"services": ("Service", "v1"), "endpointslices": ("EndpointSlice", "discovery.k8s.io/v1")}
    obj = dict(zip(("kind", "apiVersion"), kind[name.split("-")[0]]))
    obj["metadata"] = {"resourceVersion": rv, "annotations": annotations}
    *_, last = frames(read("protobuf/%s.pbstream" % name))
    return encode_event("BOOKMARK", obj) == last


def check_status():
    obj = json.loads(read("not-found.json"))
    return protobuf.envelope("v1", "Status", protobuf.encode("Status", obj)) == read("protobuf/not-found.pb")


EARLIER, LATER = b'{"resourceVersion":"126"}', b'{"resourceVersion":"137"}'
END = {"k8s.io/initial-events-end": "true"}
CHECKS = [
    ("a list of Services", lambda: check_list("services")),
    ("a list of EndpointSlices", lambda: check_list("endpointslices")),
    ("a list of Endpoints", lambda: check_list("endpoints")),
    ("a list of Nodes", lambda: check_list("nodes")),
    ("a streaming list of Services", lambda: check_watchlist("services")),
    ("a streaming list of EndpointSlices", lambda: check_watchlist("endpointslices")),
    ("the bookmark after a streaming list of Services", lambda: check_bookmark("services-watchlist", "135", END)),
    ("the bookmark after a streaming list of EndpointSlices",
     lambda: check_bookmark("endpointslices-watchlist", "137", END)),
    ("a bookmark of Services", lambda: check_bookmark("services-watch", "130", {})),
    ("a bookmark of EndpointSlices", lambda: check_bookmark("endpointslices-watch", "134", {})),
    ("a Status", check_status),
]


def main():
    failed = 0
    print("1..%d" % len(CHECKS))
    for i, (name, check) in enumerate(CHECKS, 1):
        ok = check()
        failed += not ok
        print("%s %d - %s is encoded as a real server does" % ("ok" if ok else "not ok", i, name))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
