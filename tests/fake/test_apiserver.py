#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that the fake API server answers like a real one. Prints TAP."""

import http.client
import json
import os
import struct
import sys
import threading
import urllib.parse

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "apiserver"))

import protobuf  # noqa: E402
import server  # noqa: E402

DATA = os.path.join(HERE, "data")
SERVICES = "/api/v1/services"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
STREAM = {"watch": "true", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan",
          "allowWatchBookmarks": "true"}
CHECKS = []


def check(fn):
    CHECKS.append(fn)
    return fn


class Api:
    """A server with the recorded Services, and a client of it."""

    def __init__(self):
        self.server = server.Server(("127.0.0.1", 0), None)
        self.server.start()
        self.order(load=os.path.join(DATA, "services-list.json"))

    def order(self, **order):
        answer = self.server.control(order)
        assert answer["ok"], answer
        return answer

    def open(self, path, accept="application/json", method="GET", body=None, **query):
        connection = http.client.HTTPConnection(*self.server.server_address, timeout=10)
        if query:
            path += "?" + urllib.parse.urlencode({k: v for k, v in query.items() if v is not None})
        connection.request(method, path, body, {"Accept": accept, "Content-Type": "application/json"})
        return connection.getresponse()

    def get(self, path, **query):
        response = self.open(path, **query)
        return response.status, json.loads(response.read())

    def names(self, path, **query):
        return [item["metadata"]["name"] for item in self.get(path, **query)[1]["items"]]

    def settle(self):
        while not self.order(get="activity")["idle"]:
            pass

    def events(self, path, seconds=10, **query):
        """A watch from its beginning to its end, as (type, name)."""
        response = self.open(path, **dict({"watch": "true", "timeoutSeconds": seconds}, **query))
        assert response.status == 200, response.status
        self.settle()
        self.order(elapse=seconds)
        for line in response:
            event = json.loads(line)
            yield event["type"], event["object"]


def put(name, **spec):
    return {"kind": "Service", "metadata": {"name": name}, "spec": dict({"clusterIP": "10.96.1.1"}, **spec)}


def told(events):
    return [(kind, obj["metadata"].get("name")) for kind, obj in events]


@check
def selectors_choose_what_is_listed(api):
    everything = api.names(SERVICES)
    chosen = api.names(SERVICES, labelSelector="!service.kubernetes.io/service-proxy-name",
                       fieldSelector="spec.clusterIP!=None")
    api.order(put=[put("headless", clusterIP="None"),
                   dict(put("other"), metadata={"name": "other",
                                                "labels": {"service.kubernetes.io/service-proxy-name": ""}})])
    assert set(chosen) < set(everything)
    assert api.names(SERVICES, labelSelector="!service.kubernetes.io/service-proxy-name",
                     fieldSelector="spec.clusterIP!=None") == chosen
    assert api.get(SERVICES, fieldSelector="spec.port=80")[0] == 400
    api.order(set={"fieldLabels": False})
    assert api.get(SERVICES, fieldSelector="spec.clusterIP!=None")[0] == 400


@check
def pages_are_of_one_moment(api):
    everything, pages, cont = api.names(SERVICES), [], None
    while True:
        status, page = api.get(SERVICES, limit=4, **{"continue": cont})
        assert status == 200 and len(page["items"]) <= 4
        pages += [item["metadata"]["name"] for item in page["items"]]
        api.order(put=put("aaa-%d" % len(pages)))
        cont = page["metadata"].get("continue")
        if not cont:
            break
    assert pages == everything


@check
def an_expired_page_is_410(api):
    cont = api.get(SERVICES, limit=4)[1]["metadata"]["continue"]
    api.order(expire=True)
    status, answer = api.get(SERVICES, limit=4, **{"continue": cont})
    assert (status, answer["reason"], answer["code"]) == (410, "Expired", 410)
    assert answer["metadata"]["continue"]


@check
def a_version_of_the_future_is_504(api):
    for query in {}, STREAM:
        status, answer = api.get(SERVICES, resourceVersion="99999999", **query)
        assert (status, answer["reason"]) == (504, "Timeout")
        assert answer["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


@check
def a_watch_from_the_future_is_silent_until_then(api):
    rv = api.order(get="state")["rv"]
    api.order(put=put("missed"))
    response = api.open(SERVICES, watch="true", timeoutSeconds=10, resourceVersion=str(int(rv) + 2),
                        allowWatchBookmarks="true")
    api.settle()
    api.order(bookmark=True)
    api.settle()
    api.order(put=put("missed"))
    api.settle()
    api.order(put=put("told"))
    api.settle()
    api.order(elapse=10)
    assert [json.loads(line)["object"]["metadata"]["name"] for line in response] == ["told"]


@check
def a_restore_brings_back_objects_and_version(api):
    before = api.order(put=put("old"))["rv"]
    api.order(backUp=True)
    api.order(put=put("new"), delete={"kind": "Service", "name": "old"})
    assert api.order(restore=True)["rv"] == before
    assert "old" in api.names(SERVICES) and "new" not in api.names(SERVICES)


@check
def a_watch_tells_what_changed_since(api):
    api.order(put=put("before"))
    rv = api.order(advance=1)["rv"]
    api.order(put=[put("web"), put("web", type="NodePort")], delete={"kind": "Service", "name": "web"})
    events = list(api.events(SERVICES, resourceVersion=rv))
    assert told(events) == [("ADDED", "web"), ("MODIFIED", "web"), ("DELETED", "web")]
    assert events[0][1]["kind"] == "Service"
    versions = [int(obj["metadata"]["resourceVersion"]) for _, obj in events]
    assert versions == sorted(versions) and versions[0] > int(rv)


@check
def what_leaves_the_selection_is_deleted_and_what_enters_is_added(api):
    rv = api.order(put=put("web"))["rv"]
    api.order(put=[put("web", clusterIP="None"), put("web")])
    assert told(api.events(SERVICES, resourceVersion=rv, fieldSelector="spec.clusterIP!=None")) == [
        ("DELETED", "web"), ("ADDED", "web")]


@check
def a_watch_from_nowhere_begins_with_everything(api):
    assert [name for _, name in told(api.events(SERVICES))] == api.names(SERVICES)


@check
def a_watch_from_too_long_ago_is_told_so(api):
    api.order(put=put("web"))
    api.order(expire=True)
    (kind, status), = api.events(SERVICES, resourceVersion="1")
    assert (kind, status["reason"], status["code"]) == ("ERROR", "Expired", 410)


@check
def a_streaming_list_ends_with_a_bookmark(api):
    events = list(api.events(SERVICES, **STREAM))
    kind, obj = events.pop()
    assert kind == "BOOKMARK"
    assert obj["metadata"] == {"resourceVersion": "141", "annotations": {"k8s.io/initial-events-end": "true"}}
    assert told(events) == [("ADDED", name) for name in api.names(SERVICES)]


@check
def bookmarks_come_when_they_are_wanted(api):
    api.order(set={"bookmarkInterval": 10})
    kinds = [kind for kind, _ in api.events(SERVICES, resourceVersion="141", allowWatchBookmarks="true")]
    assert kinds and set(kinds) == {"BOOKMARK"}
    assert not list(api.events(SERVICES, resourceVersion="141"))


@check
def a_server_without_streaming_lists_says_422(api):
    api.order(set={"watchList": False})
    status, answer = api.get(SERVICES, **STREAM)
    assert (status, answer["reason"]) == (422, "Invalid")


@check
def an_old_server_takes_a_streaming_list_for_a_watch(api):
    api.order(set={"watchList": "ignored", "bookmarkInterval": 10})
    *events, bookmark = list(api.events(SERVICES, **STREAM))[:len(api.names(SERVICES)) + 1]
    assert told(events) == [("ADDED", name) for name in api.names(SERVICES)]
    assert "annotations" not in bookmark[1]["metadata"]


@check
def what_is_absent_is_404(api):
    assert api.get(SLICES)[0] == 200
    api.order(set={"absent": ["endpointslices"]})
    status, answer = api.get(SLICES)
    assert (status, answer["reason"]) == (404, "NotFound")
    assert api.get("/api/v1/pods")[0] == 404


@check
def the_client_chooses_the_encoding(api):
    both = protobuf.MEDIA_TYPE + ",application/json"
    assert api.open(SERVICES, accept=both).getheader("Content-Type") == protobuf.MEDIA_TYPE
    assert api.open(SERVICES).getheader("Content-Type") == "application/json"
    refusal = api.open("/api/v1/pods", accept=both)
    assert refusal.read().startswith(protobuf.MAGIC)
    api.order(set={"protobuf": False})
    assert api.open(SERVICES, accept=both).getheader("Content-Type") == "application/json"
    assert api.open(SERVICES, accept=protobuf.MEDIA_TYPE).status == 406


@check
def a_watch_in_protobuf_is_framed(api):
    response = api.open(SERVICES, accept=protobuf.MEDIA_TYPE, timeoutSeconds=10, **STREAM)
    api.settle()
    api.order(elapse=10)
    assert response.getheader("Content-Type") == protobuf.MEDIA_TYPE + ";stream=watch"
    body, frames = response.read(), 0
    while body:
        length, = struct.unpack(">I", body[:4])
        assert protobuf.MAGIC in body[4:4 + length]
        body, frames = body[4 + length:], frames + 1
    assert frames == len(api.names(SERVICES)) + 1


@check
def a_recorded_list_comes_out_as_it_was(api):
    with open(os.path.join(DATA, "services-list.json"), encoding="utf-8") as f:
        assert api.get(SERVICES)[1] == json.load(f)


@check
def faults_hit_whom_they_are_for(api):
    api.order(fault={"resource": "services", "verb": "list", "skip": 1, "times": 2, "status": 500})
    assert [api.get(SERVICES)[0] for _ in range(4)] == [200, 500, 500, 200]
    api.order(fault={"verb": "watch", "status": 429, "retryAfter": 3})
    assert api.get(SERVICES)[0] == 200
    response = api.open(SERVICES, watch="true")
    assert (response.status, response.getheader("Retry-After")) == (429, "3")
    assert not api.server.control({"fault": {"nonsense": 1}})["ok"]


@check
def a_watch_can_end_with_an_error_after_some_events(api):
    api.order(fault={"verb": "watch", "error": 410, "after": 2})
    assert [kind for kind, _ in api.events(SERVICES)] == ["ADDED", "ADDED", "ERROR"]
    api.order(fault={"verb": "watchlist", "end": True})
    assert not list(api.events(SERVICES, **STREAM))


@check
def a_cut_ends_in_the_middle_of_a_line(api):
    api.order(fault={"verb": "watch", "after": 1, "cut": 25})
    try:
        body = api.open(SERVICES, watch="true").read()
    except http.client.IncompleteRead as e:
        body = e.partial
    assert body.count(b"\n") == 1 and len(body.split(b"\n")[1]) == 25


@check
def the_token_can_change_while_it_runs(api):
    api.order(set={"token": "a"})
    status, answer = api.get(SERVICES)
    assert (status, answer["reason"]) == (401, "Unauthorized")
    api.order(set={"token": None})
    assert api.get(SERVICES)[0] == 200


@check
def events_are_kept_or_refused(api):
    path = "/api/v1/namespaces/default/events"
    assert api.open(path, method="POST", body='{"reason": "x"}').status == 201
    assert api.order(get="events")["events"][0]["object"] == {"reason": "x"}
    api.order(set={"events": 403})
    assert api.open(path, method="POST", body="{}").status == 403


@check
def it_is_idle_when_nothing_comes_before_time_passes(api):
    api.order(fault={"delay": 3600})
    response = []
    thread = threading.Thread(target=lambda: response.append(api.get(SERVICES)))
    thread.start()
    while not api.order(get="state")["requests"]:
        pass
    api.settle()
    assert thread.is_alive()
    api.order(elapse=3600)
    thread.join()
    assert response[0][0] == 200


@check
def a_server_that_was_down_has_what_it_had(api):
    before = api.get(SERVICES)
    api.order(down=True)
    try:
        api.get(SERVICES)
        raise AssertionError("it is not down")
    except ConnectionRefusedError:
        pass
    api.order(down=False)
    assert api.get(SERVICES) == before


def main():
    failed = 0
    print("1..%d" % len(CHECKS))
    for i, fn in enumerate(CHECKS, 1):
        try:
            fn(Api())
            ok = True
        except Exception as e:  # a test's failure is a line of its output
            print("# %s: %s" % (type(e).__name__, e))
            ok = False
        failed += not ok
        print("%s %d - %s" % ("ok" if ok else "not ok", i, fn.__name__.replace("_", " ")))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
