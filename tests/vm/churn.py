#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""churn.py DIRECTORY SEED

Objects that change at random, in manifests and in a fake API server at 127.0.0.1:6443: of each
number that comes on standard input, so many times an object (a Service, or one of its two slices) is
made, changed or deleted, never left as it was. The same seed makes the same objects. Answers each
number with the numbers of objects that exist then, of files that were broken so far, of faults of the
API server, and of its restores among these. A client whose version the server has reached again after
a restore cannot notice it.

Meanwhile files break and the API server fails, restarts, or is restored from a backup. Before the
answer all files are whole again, and the API server serves the same objects.
"""

import json
import os
import random
import shutil
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fake", "apiserver"))

import server  # noqa: E402

FILES = 8
SERVICES = 8  # in each file
BATCH = 20    # changes between two writes of a file
PAUSE = 0.05  # seconds after one, in which it is read
# Real servers that are deleted lie in the kernel's trash for minutes and make adding others slow;
# the same ones come back.
ENDPOINTS = range(11, 16)
RANGES = ["10.0.0.0/8", "192.168.50.12/32", "fd00:50::/64"]


# One in so many batches breaks a file or disturbs the API server, for at most LASTING batches.
BREAKING = 6
LASTING = 12


class ApiServer:
    """The fake API server, which keeps the objects of the manifests."""

    def __init__(self, draw):
        self.random = draw
        self.server = server.Server(("127.0.0.1", 6443), None)
        self.server.start()
        addresses = [{"type": "InternalIP", "address": ip} for ip in ("192.168.50.1", "fd00:50::1")]
        self.order(put={"kind": "Node", "metadata": {"name": "node-a"}, "status": {"addresses": addresses}})
        self.order(backUp=True)
        self.changed = {}  # since the backup: the object of each kind and name, or None
        self.left = 0  # batches until it is up again
        self.faults = 0
        self.restores = 0

    def order(self, **orders):
        answer = self.server.control(orders)
        if not answer["ok"]:
            sys.exit(f"churn.py: the fake API server says: {answer['error']}")
        return answer

    def show(self, old, new):
        key = (old or new)["kind"], (old or new)["metadata"]["name"]
        self.changed[key] = new
        self.order(**({"put": new} if new else {"delete": {"kind": key[0], "name": key[1]}}))

    def restore(self):
        """As after a restore of etcd: what changed since the backup is written again, so that versions come back
        with other content."""
        self.restores += 1
        self.order(restore=True)
        exists = {(o["kind"], o["metadata"]["name"]) for o in self.order(get="objects")["objects"]}
        changed = list(self.changed.items())
        self.random.shuffle(changed)
        for key, new in changed:
            if new:
                self.order(put=new)
            elif key in exists:
                self.order(delete={"kind": key[0], "name": key[1]})

    def back_up(self):
        self.order(backUp=True)
        self.changed.clear()

    def disturb(self):
        kind = self.random.choice(["down", "down and expired", "close", "expire", "restore", "back up", "refuse",
                                   "drop", "gone", "garbage", "cut"])
        self.faults += 1
        if kind.startswith("down"):
            self.order(down=True)
            self.left = self.random.randrange(1, LASTING)
        if kind.endswith("expired") or kind == "expire":
            self.order(expire=True)
        elif kind == "restore":
            self.restore()
        elif kind == "back up":
            self.back_up()
        else:
            fault = {"refuse": {"status": 500}, "drop": {"drop": True, "reset": True},
                     "gone": {"verb": "watch", "error": 410}, "garbage": {"verb": "watch", "garbage": "{]"},
                     "cut": {"cut": 300}}.get(kind)
            self.order(**({"fault": fault} if fault else {}), close=True)

    def batch(self):
        if self.left:
            self.left -= 1
            if not self.left:
                self.order(down=False)
        elif not self.random.randrange(BREAKING):
            self.disturb()

    def recover(self):
        self.left = 0
        self.order(down=False, clearFaults=True)


class Churn:
    def __init__(self, directory, seed):
        self.directory = directory
        self.random = random.Random(seed)
        self.objects = [[None] * (3 * SERVICES) for _ in range(FILES)]
        self.api = ApiServer(random.Random(seed))
        self.broken = {}  # the files that are broken, and for how many batches
        self.breaks = 0

    def chance(self, one_in):
        return not self.random.randrange(one_in)

    def service(self, n):
        draw = self.random
        kind = draw.choice(["ClusterIP", "ClusterIP", "NodePort", "LoadBalancer"])
        # Services may want the same address or port, but for those of policy Local: which of two
        # firewall marks an address gets then depends on what happened before.
        local = self.chance(4)
        spec = {
            "type": kind,
            "clusterIP": f"10.96.0.{n + 1}",
            "clusterIPs": [f"10.96.0.{n + 1}", f"fd00:96::{n + 1:x}"][:draw.randint(1, 2)],
            "ports": [{"name": "a", "port": 80 + draw.randrange(2), "protocol": "TCP"}],
        }
        if self.chance(2):
            spec["ports"].append({"name": "b", "port": 53, "protocol": "UDP"})
        if kind != "ClusterIP":
            for port in spec["ports"]:
                port["nodePort"] = 30100 + n if local else 30000 + draw.randrange(60)
        if self.chance(3):
            spec["externalIPs"] = [f"198.51.100.{100 + n if local else draw.randrange(1, 9)}"]
        if local and kind != "ClusterIP":
            spec["externalTrafficPolicy"] = "Local"
        if self.chance(6):
            spec["internalTrafficPolicy"] = "Local"
        if self.chance(6):
            spec["sessionAffinity"] = "ClientIP"
        if self.chance(6):
            spec["loadBalancerSourceRanges"] = draw.sample(RANGES, 2)
        metadata = {"name": f"s{n}", "creationTimestamp": f"2026-01-01T00:00:{draw.randrange(60):02}Z"}
        if self.chance(6):
            metadata["annotations"] = {"ipvsctl.io/scheduler": draw.choice(["wrr", "lc", "sh"])}
        status = {}
        if kind == "LoadBalancer":
            address = f"203.0.113.{100 + n if local else draw.randrange(1, 33)}"
            status = {"loadBalancer": {"ingress": [{"ip": address}]}}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec, "status": status}

    def endpoint(self, address):
        state = self.random.choice(["ready"] * 6 + ["unready", "terminating"])
        return {
            "addresses": [address],
            "nodeName": self.random.choice(["node-a", "node-b"]),
            "conditions": {
                "ready": state == "ready",
                "serving": state != "unready",
                "terminating": state == "terminating",
            },
        }

    def slice(self, n, family):
        net = "10.244.1." if family == "IPv4" else "fd00:10:244:1::"
        hosts = self.random.sample(ENDPOINTS, self.random.randrange(len(ENDPOINTS)))
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"s{n}-{family.lower()}", "labels": {"kubernetes.io/service-name": f"s{n}"}},
            "addressType": family,
            "endpoints": [self.endpoint(f"{net}{host}") for host in hosts],
            "ports": [
                {"name": "a", "port": 8080 + self.random.randrange(2), "protocol": "TCP"},
                {"name": "b", "port": 5353, "protocol": "UDP"},
            ],
        }

    def drawn(self, file, place):
        n, part = file * SERVICES + place // 3, place % 3
        if self.chance(6):
            return None
        return self.service(n) if part == 0 else self.slice(n, "IPv4" if part == 1 else "IPv6")

    def change(self, file):
        place = self.random.randrange(3 * SERVICES)
        old = new = self.objects[file][place]
        while new == old:
            new = self.drawn(file, place)
        self.objects[file][place] = new
        self.api.show(old, new)

    def path(self, file):
        return os.path.join(self.directory, f"churn-{file}.json")

    def replace(self, file, text):
        path = self.path(file)
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write(text)
        self.remove(file, os.path.isdir)
        os.rename(path + ".new", path)

    def remove(self, file, whether=lambda path: True):
        path = self.path(file)
        if os.path.lexists(path) and whether(path):
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

    def text(self, file):
        items = [item for item in self.objects[file] if item]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

    def write(self, file):
        self.broken.pop(file, None)
        self.replace(file, self.text(file))

    def break_file(self, file):
        text = self.text(file)
        kind = self.random.choice(["half", "in place", "invalid", "no text", "no file", "directory", "fifo"])
        if kind == "half":
            self.replace(file, text[:len(text) // 2])
        elif kind == "in place":
            self.remove(file, lambda path: not os.path.isfile(path))
            with open(self.path(file), "w", encoding="ascii") as f:
                f.write(text[:len(text) // 3])
        elif kind == "invalid":
            self.replace(file, text.replace("10.96.0.", "10.96.256."))
        elif kind == "no text":
            self.replace(file, "")
        else:
            self.remove(file)
        if kind == "directory":
            os.mkdir(self.path(file))
        elif kind == "fifo":
            os.mkfifo(self.path(file))
        self.broken[file] = self.random.randrange(LASTING)
        self.breaks += 1

    def batch(self, count):
        file = self.random.randrange(FILES)
        for _ in range(count):
            self.change(file)
        if not self.random.randrange(BREAKING):
            self.break_file(file)
        else:
            self.write(file)
        for other in list(self.broken):
            self.broken[other] -= 1
            if self.broken[other] < 0:
                self.write(other)
        self.api.batch()

    def changes(self, count):
        while count > 0:
            self.batch(min(count, BATCH))
            count -= BATCH
            time.sleep(PAUSE)
        for file in list(self.broken):
            self.write(file)
        self.api.recover()

    def existing(self):
        return sum(item is not None for items in self.objects for item in items)


def main():
    churn = Churn(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        churn.changes(int(line))
        print(churn.existing(), churn.breaks, churn.api.faults, churn.api.restores, flush=True)


main()
