#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""churn.py DIRECTORY SEED

Manifests that change at random: of each number that comes on standard input, so many times an object
(a Service, or one of its two slices) is made, changed or deleted, never left as it was. The same
seed makes the same objects. Answers each number with the number of objects that exist then.
"""

import json
import os
import random
import sys
import time

FILES = 8
SERVICES = 8  # in each file
BATCH = 20    # changes between two writes of a file
PAUSE = 0.05  # seconds after one, in which it is read
# Real servers that are deleted lie in the kernel's trash for minutes and make adding others slow;
# the same ones come back.
ENDPOINTS = range(11, 16)
RANGES = ["10.0.0.0/8", "192.168.50.12/32", "fd00:50::/64"]


class Churn:
    def __init__(self, directory, seed):
        self.directory = directory
        self.random = random.Random(seed)
        self.objects = [[None] * (3 * SERVICES) for _ in range(FILES)]

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

    def write(self, file):
        path = os.path.join(self.directory, f"churn-{file}.json")
        items = [item for item in self.objects[file] if item]
        with open(path + ".new", "w", encoding="ascii") as f:
            json.dump({"apiVersion": "v1", "kind": "List", "items": items}, f)
        os.rename(path + ".new", path)

    def changes(self, count):
        while count > 0:
            file = self.random.randrange(FILES)
            for _ in range(min(count, BATCH)):
                self.change(file)
            self.write(file)
            count -= BATCH
            time.sleep(PAUSE)

    def existing(self):
        return sum(item is not None for items in self.objects for item in items)


def main():
    churn = Churn(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        churn.changes(int(line))
        print(churn.existing(), flush=True)


main()
