# SPDX-License-Identifier: GPL-2.0-or-later
"""The objects, their history, and selectors."""

import base64
import json
import threading
import time
import uuid

import protobuf


class Resource:
    def __init__(self, plural, api_version, kind, namespaced, fields):
        self.plural = plural
        self.api_version = api_version
        self.kind = kind
        self.namespaced = namespaced
        self.fields = {"metadata.name"} | ({"metadata.namespace"} if namespaced else set()) | set(fields)
        group = "/api/v1" if api_version == "v1" else "/apis/" + api_version
        self.path = group + "/" + plural


RESOURCES = {r.plural: r for r in (
    Resource("services", "v1", "Service", True, ["spec.clusterIP", "spec.type"]),
    Resource("endpoints", "v1", "Endpoints", True, []),
    Resource("nodes", "v1", "Node", False, ["spec.unschedulable"]),
    Resource("endpointslices", "discovery.k8s.io/v1", "EndpointSlice", True, []),
)}
BY_KIND = {r.kind: r for r in RESOURCES.values()}
BY_PATH = {r.path: r for r in RESOURCES.values()}


class Refused(Exception):
    """An answer that is a Status."""

    def __init__(self, code, reason, message, details=None, retry_after=None, cont=None):
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        self.status = {"kind": "Status", "apiVersion": "v1", "metadata": {"continue": cont} if cont else {},
                       "status": "Failure", "message": message, "reason": reason}
        if details is not None:
            self.status["details"] = details
        self.status["code"] = code


def expired_version(rv, oldest):
    return Refused(410, "Expired", "too old resource version: %s (%d)" % (rv, oldest))


def too_large_version(rv, current):
    return Refused(504, "Timeout", "Timeout: Too large resource version: %s, current: %d" % (rv, current),
                   {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                    "retryAfterSeconds": 1}, retry_after=1)


def compact_json(obj):
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()


class Entry:
    """One version of one object. It never changes, so its encodings are cached."""

    def __init__(self, resource, obj):
        self.resource = resource
        self.obj = obj
        self.rv = int(obj["metadata"]["resourceVersion"])
        self._item = self._protobuf = None

    def item(self):
        """As an element of a list: without kind and apiVersion."""
        if self._item is None:
            self._item = compact_json(self.obj)
        return self._item

    def whole(self):
        head = '{"kind":"%s","apiVersion":"%s",' % (self.resource.kind, self.resource.api_version)
        return head.encode() + self.item()[1:]

    def protobuf(self):
        if self._protobuf is None:
            self._protobuf = protobuf.encode(self.resource.kind, self.obj)
        return self._protobuf

    def enveloped(self):
        return protobuf.envelope(self.resource.api_version, self.resource.kind, self.protobuf())

    def at(self, rv):
        """This object with another version, for the DELETED event of a watch whose selector no longer matches."""
        metadata = dict(self.obj["metadata"], resourceVersion=str(rv))
        return Entry(self.resource, dict(self.obj, metadata=metadata))


def parse_terms(text):
    """A selector as [(key, operator, value)] with the operators =, !=, exists and absent."""
    for term in filter(None, text.split(",")):
        if term.startswith("!"):
            yield term[1:], "absent", None
        elif "!=" in term:
            key, value = term.split("!=", 1)
            yield key, "!=", value
        elif "=" in term:
            key, value = term.split("=", 1)
            yield key, "=", value.lstrip("=")
        else:
            yield term, "exists", None


class Selector:
    def __init__(self, resource, labels, fields, allowed_fields):
        self.labels = list(parse_terms(labels))
        self.fields = list(parse_terms(fields))
        for key, _, _ in self.fields:
            if key not in allowed_fields:
                raise Refused(400, "BadRequest", 'Unable to find "%s" that match label selector "%s", field selector '
                              '"%s": field label not supported: %s' % (resource.path, labels, fields, key))

    def everything(self):
        return not self.labels and not self.fields

    def matches(self, obj):
        labels = obj["metadata"].get("labels") or {}
        return (all(self._holds(key in labels, labels.get(key, ""), op, value) for key, op, value in self.labels) and
                all(self._holds(True, self._field(obj, key), op, value) for key, op, value in self.fields))

    @staticmethod
    def _field(obj, path):
        for key in path.split("."):
            obj = (obj or {}).get(key)
        return "" if obj is None else str(obj)

    @staticmethod
    def _holds(there, value, op, wanted):
        if op == "exists":
            return there
        if op == "absent":
            return not there
        return (value == wanted and there) == (op == "=")


class Change:
    def __init__(self, rv, before, after):
        self.rv = rv
        self.before = before
        self.after = after

    def event_for(self, selector):
        """The event for a watch with that selector: (type, entry) or None."""
        was = self.before is not None and selector.matches(self.before.obj)
        now = self.after is not None and selector.matches(self.after.obj)
        if now:
            return "MODIFIED" if was else "ADDED", self.after
        return ("DELETED", self.before.at(self.rv)) if was else None


class Store:
    def __init__(self):
        self.lock = threading.RLock()  # guards everything here
        self.on_change = lambda: None  # called with the lock
        self.rv = 100
        self.oldest = 100  # a watch can begin here and later
        self.objects = {plural: {} for plural in RESOURCES}
        self.changes = {plural: [] for plural in RESOURCES}
        self.snapshots = {}  # (plural, rv): what a list that is being read page by page was
        self.backup = None  # (rv, objects)

    def _key(self, resource, metadata):
        return (metadata.get("namespace") or "default" if resource.namespaced else "", metadata["name"])

    def _complete(self, resource, key, obj, before):
        metadata = dict(obj.get("metadata") or {}, name=key[1])
        if resource.namespaced:
            metadata["namespace"] = key[0]
        old = before.obj["metadata"] if before else {}
        metadata.setdefault("uid", old.get("uid") or str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp",
                            old.get("creationTimestamp") or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        metadata["resourceVersion"] = str(self.rv)
        return {"metadata": metadata, **{k: v for k, v in obj.items() if k not in ("kind", "apiVersion", "metadata")}}

    def _change(self, resource, key, before, after):
        if after is None:
            del self.objects[resource.plural][key]
        else:
            self.objects[resource.plural][key] = after
        self.changes[resource.plural].append(Change(self.rv, before, after))
        self.on_change()

    def put(self, obj):
        with self.lock:
            resource = BY_KIND[obj["kind"]]
            key = self._key(resource, obj["metadata"])
            before = self.objects[resource.plural].get(key)
            self.rv += 1
            self._change(resource, key, before, Entry(resource, self._complete(resource, key, obj, before)))

    def delete(self, obj):
        with self.lock:
            resource = BY_KIND[obj["kind"]]
            key = self._key(resource, obj.get("metadata") or obj)
            before = self.objects[resource.plural].get(key)
            if before is None:
                raise KeyError("there is no %s %s/%s" % ((resource.kind,) + key))
            self.rv += 1
            self._change(resource, key, before, None)

    def load(self, path):
        """Loads a recorded list with its versions."""
        with open(path, encoding="utf-8") as f:
            recorded = json.load(f)
        resource = BY_KIND[recorded["kind"].removesuffix("List")]
        with self.lock:
            self.objects[resource.plural] = {
                self._key(resource, item["metadata"]): Entry(resource, item) for item in recorded["items"]}
            self.rv = self.oldest = max(self.rv, int(recorded["metadata"]["resourceVersion"]))
            self.on_change()

    def expire(self):
        """Forgets the history, like a compaction of etcd: older versions get 410."""
        with self.lock:
            self.oldest = self.rv
            self.snapshots.clear()
            for changes in self.changes.values():
                changes.clear()
            self.on_change()

    def back_up(self):
        with self.lock:
            self.backup = self.rv, {plural: dict(objects) for plural, objects in self.objects.items()}

    def restore(self):
        """As etcd and the API servers after a restore: the objects and the version of the backup, and no history."""
        with self.lock:
            self.rv, objects = self.backup
            self.objects = {plural: dict(entries) for plural, entries in objects.items()}
            self.expire()

    def advance(self, count):
        """Advances the version, as changes of other resources do."""
        with self.lock:
            self.rv += count
            self.on_change()

    def check_version(self, rv, future=False):
        """Call it with the lock. Only a watch may begin in the future (apiserver/pkg/storage/cacher)."""
        if rv in ("", "0"):
            return 0
        if not rv.isdigit():
            raise Refused(400, "BadRequest", "Invalid value: \"%s\": strconv.ParseUint: invalid syntax" % rv)
        if int(rv) > self.rv and not future:
            raise too_large_version(rv, self.rv)
        return int(rv)

    def _sorted(self, plural, selector):
        objects = self.objects[plural]
        return [objects[key] for key in sorted(objects) if selector.matches(objects[key].obj)]

    def list(self, resource, selector, rv, limit, cont):
        """One page: (metadata, entries)."""
        with self.lock:
            if cont:
                version, entries = self._continued(resource, cont)
            else:
                self.check_version(rv)
                version, entries = self.rv, self._sorted(resource.plural, selector)
            return self._page(resource, selector, version, entries, limit)

    def _continued(self, resource, cont):
        token = json.loads(base64.urlsafe_b64decode(cont + "=" * (-len(cont) % 4)))
        entries = self.snapshots.get((resource.plural, token["rv"]))
        if entries is None:
            raise Refused(410, "Expired", "The provided continue parameter is too old to display a consistent list "
                          "result.", cont=self._token(-1, token["start"]))
        start = tuple(token["start"].rstrip("\0").split("/"))
        names = [(e.obj["metadata"].get("namespace", ""), e.obj["metadata"]["name"]) for e in entries]
        return token["rv"], [e for e, name in zip(entries, names) if name > start]

    @staticmethod
    def _token(rv, start):
        return base64.urlsafe_b64encode(
            compact_json({"v": "meta.k8s.io/v1", "rv": rv, "start": start})).decode().rstrip("=")

    def _page(self, resource, selector, version, entries, limit):
        metadata = {"resourceVersion": str(version)}
        page = entries[:limit] if limit else entries
        if len(page) < len(entries):
            last = page[-1].obj["metadata"]
            self.snapshots[resource.plural, version] = entries
            metadata["continue"] = self._token(version, "%s/%s\0" % (last.get("namespace", ""), last["name"]))
            if selector.everything():
                metadata["remainingItemCount"] = len(entries) - len(page)
        return metadata, page

    def begin(self, resource, selector):
        """All current objects, and their version."""
        with self.lock:
            return self.rv, self._sorted(resource.plural, selector)

    def since(self, resource, rv):
        """The changes after a version: (the version that they lead to, changes); None if it is too old."""
        with self.lock:
            if rv < self.oldest:
                return None
            changes = self.changes[resource.plural]
            i = len(changes)
            while i and changes[i - 1].rv > rv:
                i -= 1
            return max(rv, self.rv), changes[i:]
